// SPDX-License-Identifier: Apache-2.0
// Session affinity as rows: what would count for a client's next connection. Pure.

import type { AffinityState, ClientNetnsState, ServiceState } from "../datapath/ebpf/state-types.ts";
import { familyOf } from "../model/ip.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { AffinityRow } from "./rows.ts";
import { serviceName } from "./service-rows.ts";

export interface AffinityFacts {
  readonly services: readonly ServiceState[];
  readonly clients: readonly ClientNetnsState[];
  /** Cookie of the host's network namespace. */
  readonly hostNetns: bigint;
  /** Seconds since boot, of the monotonic clock. */
  readonly now: number;
}

/** Without what is void: expired, of an earlier service, or to an endpoint that has left. */
export function affinityRows(entries: readonly AffinityState[], facts: AffinityFacts): readonly AffinityRow[] {
  const services = new Map(facts.services.map((service) => [service.id, service]));
  return entries
    .flatMap((entry) => {
      const service = services.get(entry.serviceId);
      const idleSeconds = Math.max(0, facts.now - entry.lastUsed);
      if (!service || service.affinityEpoch !== entry.epoch || idleSeconds > service.affinitySeconds) return [];
      if (![...service.cluster, ...service.local].some((backend) => isOf(entry, backend))) return [];
      return {
        client: clientOf(entry, facts),
        service: serviceName(service.key),
        protocol: service.protocol,
        endpoint: formatEndpoint(entry.backend, entry.backendPort),
        idleSeconds,
        expiresInSeconds: service.affinitySeconds - idleSeconds,
      };
    })
    .sort((a, b) => compare(a.service, b.service) || compare(a.client, b.client));
}

function isOf(entry: AffinityState, backend: { readonly address: string; readonly port: number }): boolean {
  return backend.address === entry.backend && backend.port === entry.backendPort;
}

/** A network namespace by what people know of it. */
function clientOf({ client, netns, backend }: AffinityState, { clients, hostNetns }: AffinityFacts): string {
  if (client !== undefined) return client;
  if (netns === hostNetns) return "host";
  const addresses = clients
    .filter((known) => known.netns === netns && familyOf(known.address) === familyOf(backend))
    .map(({ address }) => address);
  return addresses.length > 0 ? addresses.sort().join(",") : `netns:${netns}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
