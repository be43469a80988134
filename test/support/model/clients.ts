// SPDX-License-Identifier: Apache-2.0
// The reference model's clients: whom a packet is taken to come from, rows 34, 35 and 38.

import { addressOf, holds, rangeOf } from "./address.ts";
import type { Interface, Packet, World } from "./world.ts";

/** untold: nothing tells pods of its family from others (row 35). */
export type ClientKind = "host" | "pod" | "outside" | "untold";

export function clientKind(world: World, packet: Packet): ClientKind {
  const { client, hook } = packet;
  if (client === "host" || hook === "socket") return client; // row 38: sockets are known by their network namespace
  const { detectLocal, interfaces } = world;
  const cameBy = packet.cameBy ?? interfaces[client];
  switch (detectLocal.mode) {
    case "Device":
      return client;
    case "ClusterCIDR":
      return byRanges(detectLocal.cidrs, packet);
    case "NodeCIDR":
      return byRanges(nodeOf(world)?.spec?.podCIDRs ?? [], packet);
    case "BridgeInterface":
      return interfaceOf(cameBy) === detectLocal.interface ? "pod" : "outside";
    case "InterfaceNamePrefix":
      return interfaceOf(cameBy).startsWith(detectLocal.interface) ? "pod" : "outside";
  }
}

/** Neither the host nor a pod, as far as anybody can tell. */
export function isOutsider(kind: ClientKind): boolean {
  return kind === "outside" || kind === "untold";
}

export function nodeOf(world: World): World["nodes"][number] | undefined {
  return world.nodes.find(({ metadata }) => metadata.name === world.here);
}

/** The first range of a family counts; without one it has no detector. */
function byRanges(cidrs: readonly string[], { source }: Packet): ClientKind {
  const address = addressOf(source);
  const range = cidrs.map(rangeOf).find((one) => one?.family === address.family);
  if (range === undefined) return "untold";
  return holds(range, address) ? "pod" : "outside";
}

/** As netfilter sees it: of a bridge's port the bridge. */
function interfaceOf({ name, bridge }: Interface): string {
  return bridge ?? name;
}
