// SPDX-License-Identifier: Apache-2.0
// Services as far as a node's datapath knows them, for what pods are told of Services; and what it does not know. Pure.

import type { ServiceState } from "../datapath/ebpf/state-types.ts";
import { PROTOCOLS, type ServicePort } from "../model/service.ts";
import type { NamedService } from "./pod-env.ts";

export interface PinnedServices {
  readonly services: readonly NamedService[];
  /** What may be otherwise in the cluster, one line each. */
  readonly gaps: readonly string[];
}

/** Who knows the Services of a node. */
export type Holder = "pinned maps" | "agent's rules";

/** Ports in the order of their numbers, addresses IPv4 first: in which order the Service names them neither holds. */
export function pinnedServices(states: readonly ServiceState[], holder: Holder = "pinned maps"): PinnedServices {
  const byName = new Map<string, ServiceState[]>();
  for (const state of states) {
    const key = `${state.namespace}/${state.name}`;
    byName.set(key, [...(byName.get(key) ?? []), state]);
  }
  const services = [...byName.values()].flatMap(serviceOf);
  const unsure = services.filter(({ ports, clusterIps }) => ports.length > 1 || clusterIps.length > 1);
  const names = unsure.map(({ namespace, name }) => `${namespace}/${name}`).sort();
  const gaps = [`the ${holder} hold no headless Services, none of type ExternalName and none of another proxy's`];
  if (names.length > 0) {
    gaps.push(`which port or family comes first the ${holder} do not say, so the lowest does: ${names.join(", ")}`);
  }
  return { services, gaps };
}

function serviceOf(states: readonly ServiceState[]): readonly NamedService[] {
  const [first] = states;
  if (!first) return [];
  const ports = new Map<string, ServicePort>();
  const addresses = new Map<number, NamedService["clusterIps"][number]>();
  for (const { portName, protocol: text, family, frontends } of states) {
    const frontend = frontends.find(({ kind }) => kind === "ClusterIP");
    const protocol = PROTOCOLS.find((one) => one === text);
    if (!frontend || !protocol) continue;
    addresses.set(family, frontend.address);
    ports.set(`${portName}/${text}`, { name: portName, protocol, port: frontend.port, nodePort: 0 });
  }
  const clusterIps = [4, 6].flatMap((family) => addresses.get(family) ?? []);
  const { namespace, name, type } = first;
  return [{ namespace, name, type, clusterIps, ports: [...ports.values()].sort((a, b) => a.port - b.port) }];
}
