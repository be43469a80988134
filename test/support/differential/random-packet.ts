// SPDX-License-Identifier: Apache-2.0
// Random packets for a world of the differential suite: most to what it serves, some just beside it.

import fc from "fast-check";
import type { Family } from "../model/address.ts";
import { frontendsIn } from "../model/services.ts";
import type { Packet, World } from "../model/world.ts";
import { addressIn, loopback, nodeAddress } from "./places.ts";

/** Numbers that choose a packet, whatever the world: so the two shrink apart. */
export interface Draw {
  readonly who: Pick<Packet, "hook" | "client">;
  readonly frontend: number;
  /** Only cluster IPs: all that a socket's policy Local can refuse. */
  readonly inside: boolean;
  readonly source: number;
  readonly node: number;
  readonly beside: "port" | "protocol" | "address" | undefined;
}

const draw: fc.Arbitrary<Draw> = fc.record({
  who: fc.constantFrom<Draw["who"]>(
    { hook: "wire", client: "outside" },
    { hook: "wire", client: "outside" },
    { hook: "wire", client: "pod" },
    { hook: "socket", client: "pod" },
    { hook: "socket", client: "pod" },
    { hook: "socket", client: "host" },
  ),
  frontend: fc.nat({ max: 1000 }),
  inside: fc.boolean(),
  source: fc.integer({ min: 1, max: 5 }),
  node: fc.nat({ max: 8 }),
  beside: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, "port", "protocol", "address"),
});

export function drawsAtRandom(count: number): fc.Arbitrary<readonly Draw[]> {
  return fc.array(draw, { minLength: count, maxLength: count });
}

const BESIDE = { TCP: "UDP", UDP: "SCTP", SCTP: "TCP" } as const;

export function packetOf(world: World, { who, frontend, inside, source, node, beside }: Draw): Packet {
  const aimable = frontendsIn(world);
  const clusterIps = aimable.filter(({ kind }) => kind === "ClusterIP");
  const frontends = inside && who.hook === "socket" ? clusterIps : aimable;
  const aimed = frontends[frontend % Math.max(1, frontends.length)];
  const family: Family = aimed?.family ?? (frontend % 2 === 0 ? 4 : 6);
  const protocol = aimed?.protocol ?? "TCP";
  const destination = aimed?.address?.text ?? nodeDestination(family, node);
  return {
    ...who,
    source: sourceOf(who.client, family, source, node),
    destination: beside === "address" ? addressIn("cluster", family, 9) : destination,
    port: beside === "port" ? 8443 : (aimed?.port ?? 80),
    protocol: beside === "protocol" ? BESIDE[protocol] : protocol,
  };
}

/** Where a NodePort may be asked for; mostly where it is served. */
function nodeDestination(family: Family, node: number): string {
  const unspecified = family === 4 ? "0.0.0.0" : "::";
  const own = nodeAddress(family, 1);
  return [nodeAddress(family, 2), nodeAddress(family, 9), loopback(family), unspecified][node] ?? own;
}

function sourceOf(client: Packet["client"], family: Family, n: number, vip: number): string {
  if (client === "host") return nodeAddress(family, n === 1 ? 2 : 1);
  if (client === "pod") return addressIn("here", family, n); // 1 to 3 may be the endpoint it reaches (row 39)
  if (n === 5) return addressIn("balancer", family, 1 + (vip % 4)); // what a node that has the VIP sends from (row 44)
  return n === 4 ? addressIn("there", family, 1) : addressIn("outside", family, n);
}
