// SPDX-License-Identifier: Apache-2.0
// Where things are in the differential suite's worlds: few addresses, so that they collide all the time.

import type { Family } from "../model/address.ts";
import type { NodeAddress } from "../model/world.ts";

export const HERE = "here";
export const THERE = "there";
export const FAMILIES = [4, 6] as const;
export const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;

/** The n-th address of a range: 1 to 9 are for chance, 101 and more for landmarks. */
const RANGES = {
  cluster: { 4: "10.96.0.", 6: "fd00:96::" },
  external: { 4: "203.0.113.", 6: "2001:db8:113::" },
  balancer: { 4: "198.51.100.", 6: "2001:db8:100::" },
  here: { 4: "10.244.1.", 6: "fd00:244:1::" },
  there: { 4: "10.244.2.", 6: "fd00:244:2::" },
  anywhere: { 4: "10.244.3.", 6: "fd00:244:3::" },
  outside: { 4: "192.0.2.10", 6: "2001:db8:2::10" },
} as const;

/** Address 1 serves NodePorts, 2 does not, 9 is another node's. */
const NODE = { 4: "192.0.2.", 6: "2001:db8:2::" } as const;
const LOOPBACK = { 4: "127.0.0.1", 6: "::1" } as const;
export const NODE_ADDRESSES: readonly NodeAddress[] = FAMILIES.flatMap((family) => [
  { address: `${NODE[family]}1`, loopback: false, nodePort: true },
  { address: `${NODE[family]}2`, loopback: false, nodePort: false },
  { address: LOOPBACK[family], loopback: true, nodePort: true },
]);

/** The node's own pods, for who asks where a source is. */
export const POD_RANGES = ["10.244.1.0/24", "fd00:244:1::/64"] as const;

export function addressIn(range: keyof typeof RANGES, family: Family, n: number): string {
  return `${RANGES[range][family]}${n}`;
}

export function nodeAddress(family: Family, n: 1 | 2 | 9): string {
  return `${NODE[family]}${n}`;
}

export function loopback(family: Family): string {
  return LOOPBACK[family];
}
