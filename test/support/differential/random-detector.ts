// SPDX-License-Identifier: Apache-2.0
// By what local pods are told at random (rows 34 to 38): each mode, with ranges of one family or both, that hold pods of
// this node, of another, or clients outside; with interfaces that are meant, or not.

import fc from "fast-check";
import type { DetectLocal, Interface, World } from "../model/world.ts";

export type Told = Pick<World, "detectLocal" | "interfaces">;

const DEVICE: DetectLocal = { mode: "Device" };
const UPLINK: Interface = { name: "eth0" };
const POD_INTERFACES: readonly Interface[] = [{ name: "veth1" }, { name: "cali1" }, { name: "veth1", bridge: "cni0" }];

export const BY_DEVICE: Told = told(DEVICE);
export const BY_CLUSTER_CIDR: Told = told({ mode: "ClusterCIDR", cidrs: ["10.244.0.0/16", "fd00:244::/32"] });
/** Nothing tells pods of IPv4. */
export const BY_CLUSTER_CIDR6: Told = told({ mode: "ClusterCIDR", cidrs: ["fd00:244:1::/64"] });
export const BY_NODE_CIDR: Told = told({ mode: "NodeCIDR" });
export const BY_BRIDGE: Told = told({ mode: "BridgeInterface", interface: "cni0" });
/** That of no pod. */
export const BY_PREFIX: Told = told({ mode: "InterfaceNamePrefix", interface: "veth" });

function told(detectLocal: DetectLocal): Told {
  return { detectLocal, interfaces: { pod: { name: "veth1", bridge: "cni0" }, outside: UPLINK } };
}

/** The first of each family counts. */
export const podCidrsAtRandom: fc.Arbitrary<readonly string[] | undefined> = fc.constantFrom(
  ["10.244.1.0/24", "fd00:244:1::/64"],
  ["10.244.1.0/24", "fd00:244:1::/64"],
  ["10.244.2.0/24", "10.244.1.0/24", "fd00:244:2::/64", "fd00:244:1::/64"],
  ["fd00:244:1::/64"],
  ["10.244.1.0/25"],
  undefined,
);

const clusterCidrs = fc.constantFrom(
  ["10.244.0.0/16", "fd00:244::/32"],
  ["10.244.0.0/16", "fd00:244::/32"],
  ["fd00:244:1::/64", "10.244.1.0/24"],
  ["10.244.2.0/23"],
  ["2001:db8:2::/64"],
  ["10.77.0.0/16", "fd00:77::/32"],
  ["0.0.0.0/0"],
);

const everyMode: fc.Arbitrary<DetectLocal> = fc.oneof(
  fc.constant(DEVICE),
  clusterCidrs.map((cidrs): DetectLocal => ({ mode: "ClusterCIDR", cidrs })),
  fc.constant({ mode: "NodeCIDR" } as const),
  fc.constantFrom("cni0", "veth1", "eth0").map((name): DetectLocal => ({ mode: "BridgeInterface", interface: name })),
  fc
    .constantFrom("veth", "cni", "eth", "cali1")
    .map((name): DetectLocal => ({ mode: "InterfaceNamePrefix", interface: name })),
);

export function detectorAtRandom(every: boolean): fc.Arbitrary<Told> {
  return fc.record({
    detectLocal: every ? everyMode : fc.constant(DEVICE),
    interfaces: fc.constantFrom(...POD_INTERFACES).map((pod) => ({ pod, outside: UPLINK })),
  });
}
