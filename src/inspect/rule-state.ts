// SPDX-License-Identifier: Apache-2.0
// What an agent that serves by rules has in force, in the terms in which pinned maps are read. Pure. Netfilter counts nothing
// by Service.

import type { CompiledService, Frontend, Member } from "../compile/state.ts";
import type { BackendState, FrontendState, ServiceState } from "../datapath/ebpf/state-types.ts";
import type { Family, Ip } from "../model/ip.ts";
import type { ServedState } from "./state-rows.ts";

const WILDCARD: Readonly<Record<Family, Ip>> = { 4: "0.0.0.0" as Ip, 6: "::" as Ip };
const UNCOUNTED = { connections: 0n, packets: 0n, bytes: 0n, rejects: 0n };

/** For rows of Services. */
export function ruleState(services: readonly CompiledService[]): ServedState {
  const states = ruleServices(services);
  return { services: () => states, frontends: () => states.flatMap(({ frontends }) => frontends) };
}

export function ruleServices(services: readonly CompiledService[]): readonly ServiceState[] {
  const ids = new Map<string, number>();
  return services.map((service, id) => {
    const backend = (member: Member) => backendState(service, member, ids);
    return {
      ...service,
      id,
      affinityEpoch: 0,
      tableSize: 0,
      stats: UNCOUNTED,
      cluster: service.cluster.map(backend),
      local: service.local.map(backend),
      serving: service.serving.map(backend),
      frontends: service.frontends.map((frontend) => frontendState(service, frontend, id)),
    };
  });
}

function frontendState(
  { key, protocol, family }: CompiledService,
  frontend: Frontend,
  serviceId: number,
): FrontendState {
  return { ...frontend, address: frontend.address ?? WILDCARD[family], protocol, serviceId, service: key };
}

/** ids: of address, port and protocol. */
function backendState({ protocol }: CompiledService, member: Member, ids: Map<string, number>): BackendState {
  const place = [member.address, member.port, protocol].join(" ");
  const id = ids.get(place) ?? ids.size;
  ids.set(place, id);
  return { ...member, id, protocol, nodeName: member.nodeName ?? "", zone: member.zone ?? "", connections: 0n };
}
