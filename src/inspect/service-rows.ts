// SPDX-License-Identifier: Apache-2.0
// Services, their backends and their frontends as rows. Pure: what the maps say in, what people and scripts read out.

import type { BackendState, FrontendState, ServiceState } from "../datapath/ebpf/state-types.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { BackendRow, FrontendRow, ServiceRow, TrafficPolicy } from "./rows.ts";

/** `namespace/name:port` of a service key `namespace/name:port/TCP/IPv4`, without the colon if the port has no name. */
export function serviceName(key: string): string {
  const [namespace = "", port = ""] = key.split("/");
  return `${namespace}/${port.replace(/:$/, "")}`;
}

export function serviceRows(services: readonly ServiceState[]): readonly ServiceRow[] {
  return services.map((service) => {
    const endpoints = endpointsOf(service);
    return {
      service: serviceName(service.key),
      protocol: service.protocol,
      family: service.family === 4 ? "IPv4" : "IPv6",
      type: service.type,
      frontends: [...service.frontends].sort(byKind).map(({ address, port }) => formatEndpoint(address, port)),
      scheduler: service.scheduler,
      affinitySeconds: service.affinitySeconds || null,
      internalTrafficPolicy: policyName(service.internalLocal),
      externalTrafficPolicy: policyName(service.externalLocal),
      endpoints: { local: endpoints.filter((backend) => backend.local).length, total: endpoints.length },
      connections: Number(service.stats.connections),
      packets: Number(service.stats.packets),
      bytes: Number(service.stats.bytes),
      rejects: Number(service.stats.rejects),
    };
  });
}

export function backendRows(services: readonly ServiceState[]): readonly BackendRow[] {
  return services.flatMap((service) => {
    const endpoints = endpointsOf(service);
    const total = endpoints.reduce((sum, backend) => sum + Number(backend.connections), 0);
    const expected = expectedShares(service);
    return endpoints.map((backend) => ({
      service: serviceName(service.key),
      protocol: service.protocol,
      endpoint: formatEndpoint(backend.address, backend.port),
      node: backend.nodeName || null,
      zone: backend.zone || null,
      local: backend.local,
      state: backend.terminating ? "terminating" : "ready",
      weight: backend.weight,
      connections: Number(backend.connections),
      share: total === 0 ? null : Number(backend.connections) / total,
      expectedShare: expected.get(backend.id) ?? null,
    }));
  });
}

export function frontendRows(frontends: readonly FrontendState[]): readonly FrontendRow[] {
  return frontends
    .map(({ address, port, protocol, kind, service }) => ({
      frontend: formatEndpoint(address, port),
      protocol,
      kind,
      service: service === undefined ? null : serviceName(service),
    }))
    .sort((a, b) => compare(a.service ?? "", b.service ?? "") || compare(a.frontend, b.frontend));
}

const KIND_ORDER: readonly FrontendState["kind"][] = ["ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"];

function byKind(a: FrontendState, b: FrontendState): number {
  return KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind) || compare(a.address, b.address);
}

function policyName(local: boolean): TrafficPolicy {
  return local ? "Local" : "Cluster";
}

/** Each once, those of policy Cluster first; terminating ones may serve policy Local alone. */
function endpointsOf(service: ServiceState): readonly BackendState[] {
  return [...new Map([...service.cluster, ...service.local].map((backend) => [backend.id, backend])).values()];
}

/** Empty when the two policies differ: then the share depends on where the clients are. */
function expectedShares(service: ServiceState): ReadonlyMap<number, number> {
  if (service.internalLocal !== service.externalLocal) return new Map();
  const set = service.internalLocal ? service.local : service.cluster;
  const weighted = service.scheduler === "mh";
  const total = set.reduce((sum, { weight }) => sum + (weighted ? weight : 1), 0);
  return new Map(set.map(({ id, weight }) => [id, (weighted ? weight : 1) / total]));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
