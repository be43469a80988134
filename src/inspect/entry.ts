// SPDX-License-Identifier: Apache-2.0
// Where a connection from a source address begins: at the node itself, at one of its pods, or outside. Pure.

import { type Cidr, type Ip, isInCidr } from "../model/ip.ts";

export type ClientKind = "host" | "pod" | "outside";

/** A route of the node, as far as it tells where an address lives. */
export interface SourceRoute {
  readonly destination: Cidr;
  /** Ifindex of the device that it leads to, if pods are behind that. */
  readonly podDevice: number | undefined;
}

export interface NodeFacts {
  readonly nodeAddresses: ReadonlySet<Ip>;
  /** The node's own pod ranges, from its Node object. */
  readonly podRanges: readonly Cidr[];
  /** Endpoints that run on this node. */
  readonly localEndpoints: ReadonlySet<Ip>;
  readonly routes: readonly SourceRoute[];
}

/** What the node knows of itself comes first, then its Node object, then its interfaces. */
export function clientKind(source: Ip, facts: NodeFacts): ClientKind {
  if (facts.nodeAddresses.has(source)) return "host";
  if (facts.localEndpoints.has(source) || facts.podRanges.some((range) => isInCidr(source, range))) return "pod";
  return podDevice(source, facts) === undefined ? "outside" : "pod";
}

/** Ifindex of the device by which a pod's packets come in, as far as routes tell. */
export function podDevice(source: Ip, facts: Pick<NodeFacts, "routes">): number | undefined {
  return bestRoute(source, facts.routes)?.podDevice;
}

function bestRoute(source: Ip, routes: readonly SourceRoute[]): SourceRoute | undefined {
  let best: SourceRoute | undefined;
  for (const route of routes) {
    if (best && best.destination.prefixLength >= route.destination.prefixLength) continue;
    if (isInCidr(source, route.destination)) best = route;
  }
  return best;
}
