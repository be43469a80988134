// SPDX-License-Identifier: Apache-2.0
// The reference model's endpoint sets: rows 2, 6, 9-11 and 15-21, in the words of the rows.

import { type Address, addressOf, endpointText, type Family } from "./address.ts";
import type { EndpointManifest, Protocol, SliceManifest, World } from "./world.ts";

interface Endpoint {
  readonly address: Address;
  readonly port: number;
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly nodes: readonly string[];
  readonly zones: readonly string[];
}

export interface Target {
  readonly address: Address;
  readonly endpoint: string;
}

export interface Sets {
  /** For policy Cluster. */
  readonly cluster: readonly Target[];
  /** For policy Local. */
  readonly local: readonly Target[];
  /** Row 19: any node has one that is ready, or that serves while it terminates. */
  readonly anywhere: boolean;
}

export interface PortOfService {
  readonly namespace: string;
  readonly service: string;
  readonly portName: string;
  readonly protocol: Protocol;
  readonly family: Family;
}

/** Row 15: two sets, each by itself. */
export function setsOf(world: World, port: PortOfService): Sets {
  const endpoints = withoutDuplicates(world.slices.flatMap((slice) => endpointsIn(world, slice, port)));
  const local = endpoints.filter((endpoint) => endpoint.local);
  return {
    cluster: clusterSet(world, endpoints).map(targetOf),
    local: usable(local).map(targetOf), // row 18; row 21: no hint narrows it
    anywhere: usable(endpoints).length > 0,
  };
}

function targetOf({ address, port }: Endpoint): Target {
  return { address, endpoint: endpointText(address, port) };
}

function endpointsIn(world: World, slice: SliceManifest, port: PortOfService): readonly Endpoint[] {
  const { labels, namespace } = slice.metadata;
  if (labels?.["service.kubernetes.io/headless"] !== undefined) return []; // row 2
  if (labels?.["kubernetes.io/service-name"] !== port.service) return []; // row 2
  if ((namespace ?? "default") !== port.namespace) return [];
  if (slice.addressType !== (port.family === 4 ? "IPv4" : "IPv6")) return []; // row 6
  return slice.ports
    .filter((target) => (target.name ?? "") === port.portName && (target.protocol ?? "TCP") === port.protocol) // row 8
    .filter((target) => target.port !== undefined && target.port !== null && target.port !== 0) // row 9
    .flatMap((target) => slice.endpoints.map((endpoint) => readEndpoint(world, endpoint, target.port ?? 0)));
}

function readEndpoint(world: World, endpoint: EndpointManifest, port: number): Endpoint {
  const { conditions, hints, nodeName } = endpoint;
  return {
    address: addressOf(endpoint.addresses[0] ?? ""), // row 9: the first address only
    port,
    local: nodeName === world.here, // row 10: no node name, never local
    ready: conditions?.ready ?? true, // row 10
    serving: conditions?.serving ?? true,
    terminating: conditions?.terminating ?? false,
    nodes: hints?.forNodes?.map(({ name }) => name) ?? [],
    zones: hints?.forZones?.map(({ name }) => name) ?? [],
  };
}

/** Row 11: the one that does not terminate, then the ready one, then the one that serves. */
function withoutDuplicates(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const best = new Map<string, Endpoint>();
  for (const endpoint of endpoints) {
    const key = endpointText(endpoint.address, endpoint.port);
    const other = best.get(key);
    if (other === undefined || isBetter(endpoint, other)) best.set(key, endpoint);
  }
  return [...best.values()];
}

function isBetter(one: Endpoint, other: Endpoint): boolean {
  if (one.terminating !== other.terminating) return other.terminating;
  if (one.ready !== other.ready) return one.ready;
  return one.serving && !other.serving;
}

/** Rows 16-18: the ready ones; with none of them, those that terminate and still serve. */
function usable(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter(({ serving, terminating }) => serving && terminating);
}

/** Row 17, then row 20 over the ready ones; the fallback ignores topology. */
function clusterSet(world: World, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return usable(endpoints);
  const node = ready.filter(({ nodes }) => nodes.includes(world.here));
  if (node.length > 0 && ready.every(({ nodes }) => nodes.length > 0)) return node;
  const here = world.nodes.find(({ metadata }) => metadata.name === world.here);
  const zone = here?.metadata.labels?.["topology.kubernetes.io/zone"];
  const near = ready.filter(({ zones }) => zone !== undefined && zones.includes(zone));
  if (near.length > 0 && ready.every(({ zones }) => zones.length > 0)) return near;
  return ready;
}
