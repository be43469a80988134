// SPDX-License-Identifier: Apache-2.0
// Compiles one Service with its slices into one CompiledService for each port and family, as if it were alone.

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import { familyOf, type Ip } from "../model/ip.ts";
import type { NodePlace } from "../model/node.ts";
import {
  type FrontendKind,
  honoursExternalPolicy,
  isHealthChecked,
  type Service,
  type ServicePort,
} from "../model/service.ts";
import { membersOf } from "./members.ts";
import { sourceFilter } from "./source-filter.ts";
import type { CompiledService, Frontend, Scheduler, ServiceKey } from "./state.ts";

/**
 * The Service must be one that is proxied (isProxied); which of its frontends others claim too is not looked at.
 * localAddresses: those on interfaces of this node.
 */
export function compileService(
  service: Service,
  slices: readonly EndpointSlice[],
  here: NodePlace,
  localAddresses: ReadonlySet<Ip>,
): readonly CompiledService[] {
  return service.clusterIps.flatMap((clusterIp) =>
    service.ports.map((port) => compilePort(service, port, clusterIp, slices, here, localAddresses)),
  );
}

/** The annotation portolan.dev/scheduler; undefined when its value is not known. */
export function schedulerOf(service: Service): Scheduler | undefined {
  if (service.scheduler === undefined || service.scheduler === "default") return "default";
  return service.scheduler === "random" || service.scheduler === "mh" ? service.scheduler : undefined;
}

function compilePort(
  service: Service,
  port: ServicePort,
  clusterIp: Ip,
  slices: readonly EndpointSlice[],
  here: NodePlace,
  localAddresses: ReadonlySet<Ip>,
): CompiledService {
  const { namespace, name } = service;
  const family = familyOf(clusterIp);
  const frontends = frontendsOf(service, port, clusterIp, localAddresses);
  const internalLocal = service.internalTrafficPolicy === "Local";
  const externalLocal = service.externalTrafficPolicy === "Local" && honoursExternalPolicy(service);
  // Row 15. Local clients of an external frontend get the Cluster set under policy Local too (row 34).
  const external = frontends.length > 1;
  const endsConnections = service.endsConnections && port.protocol === "TCP";
  const inUse = {
    cluster: !internalLocal || external,
    local: internalLocal || (externalLocal && external),
    serving: port.protocol === "UDP" || endsConnections,
  };
  const members = membersOf(slices, port, family, here, inUse);
  return {
    key: [namespace, "/", name, ":", port.name, "/", port.protocol, "/IPv", family].join("") as ServiceKey,
    namespace,
    name,
    portName: port.name,
    protocol: port.protocol,
    family,
    type: service.type === "ExternalName" ? "ClusterIP" : service.type,
    frontends,
    cluster: members.cluster,
    local: members.local,
    serving: members.serving,
    internalLocal,
    externalLocal,
    hasAnyEndpoints: members.hasAny,
    scheduler: schedulerOf(service) ?? "default",
    affinitySeconds: service.affinitySeconds,
    endsConnections,
    sources: sourceFilter(service, family, here.addresses),
    ...(isHealthChecked(service) && { healthCheckNodePort: service.healthCheckNodePort }),
  };
}

/**
 * All of the cluster IP's family, the cluster IP first. An address named twice is served as the first kind (row 4); with
 * source ranges as a load balancer's, which they close, whatever else it is (row 44, as kube-proxy's nftables mode).
 */
function frontendsOf(
  service: Service,
  port: ServicePort,
  clusterIp: Ip,
  localAddresses: ReadonlySet<Ip>,
): readonly Frontend[] {
  const kinds = new Map<Ip, FrontendKind>([[clusterIp, "ClusterIP"]]);
  const add = (addresses: readonly Ip[], kind: FrontendKind) => {
    for (const address of addresses) {
      if (familyOf(address) === familyOf(clusterIp) && !kinds.has(address)) kinds.set(address, kind);
    }
  };
  if (service.sourceRanges) add(service.loadBalancerIps, "LoadBalancer");
  add(service.externalIps, "ExternalIP");
  add(service.loadBalancerIps, "LoadBalancer");
  const frontends: readonly Frontend[] = Array.from(kinds, ([address, kind]) => {
    const frontend = { kind, address, port: port.port };
    return kind === "ClusterIP" && localAddresses.has(address) ? { ...frontend, onNode: true } : frontend;
  });
  if (port.nodePort === 0) return frontends;
  return [...frontends, { kind: "NodePort", address: undefined, port: port.nodePort }];
}
