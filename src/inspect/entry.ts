// SPDX-License-Identifier: Apache-2.0
// Where a connection from a source address begins: at the node itself, at one of its pods, or outside. Pure.

import { type Cidr, familyOf, type Ip, ipToBytes } from "../model/ip.ts";

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
  if (facts.localEndpoints.has(source) || facts.podRanges.some((range) => contains(range, source))) return "pod";
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
    if (contains(route.destination, source)) best = route;
  }
  return best;
}

function contains(range: Cidr, address: Ip): boolean {
  const family = familyOf(address);
  if (familyOf(range.address) !== family) return false;
  const bits = range.prefixLength + (family === 4 ? 96 : 0);
  const [wanted, given] = [ipToBytes(range.address), ipToBytes(address)];
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (wanted[i] !== given[i]) return false;
  const mask = 0xff00 >> (bits & 7);
  return ((wanted[whole] ?? 0) & mask & 0xff) === ((given[whole] ?? 0) & mask & 0xff);
}
