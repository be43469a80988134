// SPDX-License-Identifier: Apache-2.0
// The cluster that `bench sync` syncs: n Services of one TCP port with m endpoints each, and changes of one endpoint.

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import { type Ip, parseIp } from "../model/ip.ts";
import type { Service } from "../model/service.ts";

export const SERVICE_PORT = 80;
const TARGET_PORT = 8080;
const NAMESPACE = "bench";

export interface EndpointChange {
  readonly service: Service;
  readonly previous: EndpointSlice;
  readonly current: EndpointSlice;
  /** The address that takes the place of another. */
  readonly added: Ip;
  readonly removed: Ip;
}

export class SyncModel {
  readonly services: readonly Service[];
  readonly #slices: EndpointSlice[];
  #nextAddress = 0;

  constructor(services: number, endpoints: number) {
    this.services = Array.from({ length: services }, (_, n) => serviceAt(n));
    this.#slices = this.services.map((service) => ({
      kind: "EndpointSlice",
      namespace: NAMESPACE,
      name: `${service.name}-x`,
      serviceName: service.name,
      headless: false,
      family: 4,
      ports: [{ name: "http", protocol: "TCP", port: TARGET_PORT }],
      endpoints: Array.from({ length: endpoints }, () => endpoint(this.#freshAddress())),
    }));
  }

  get slices(): readonly EndpointSlice[] {
    return this.#slices;
  }

  /** Replaces a random endpoint of a random Service by one with an address never used before. random: [0, 1). */
  change(random: () => number): EndpointChange {
    const n = Math.floor(random() * this.services.length);
    const service = this.services[n];
    const previous = this.#slices[n];
    const place = Math.floor(random() * (previous?.endpoints.length ?? 0));
    const removed = previous?.endpoints[place]?.address;
    if (!service || !previous || !removed) throw new Error("a model without endpoints has none to change");
    const added = this.#freshAddress();
    const endpoints = previous.endpoints.map((old, at) => (at === place ? endpoint(added) : old));
    const current = { ...previous, endpoints };
    this.#slices[n] = current;
    return { service, previous, current, added, removed };
  }

  #freshAddress(): Ip {
    return addressAt("10", 0x40_00_00 + this.#nextAddress++); // 10.64.0.0 and up
  }
}

function serviceAt(n: number): Service {
  return {
    kind: "Service",
    namespace: NAMESPACE,
    name: `service-${n}`,
    type: "ClusterIP",
    createdMs: n,
    foreignProxy: false,
    clusterIps: [addressAt("172", 0x10_00_00 + n)], // 172.16.0.0 and up
    externalIps: [],
    loadBalancerIps: [],
    proxiedIps: [],
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 0,
    ports: [{ name: "http", protocol: "TCP", port: SERVICE_PORT, nodePort: 0 }],
    sourceRanges: undefined,
    endsConnections: false,
    scheduler: undefined,
    affinitySeconds: 0,
  };
}

function endpoint(address: Ip): EndpointSlice["endpoints"][number] {
  const place = { nodeName: "other-node", zone: undefined, hints: undefined };
  return { address, ...place, ready: true, serving: true, terminating: false };
}

function addressAt(first: string, rest: number): Ip {
  const text = `${first}.${(rest >> 16) & 255}.${(rest >> 8) & 255}.${rest & 255}`;
  const address = parseIp(text);
  if (!address) throw new Error(`${text} is no address`);
  return address;
}
