// SPDX-License-Identifier: Apache-2.0
// How the programs tell local pods from other clients on the wire (kube-proxy's detectLocalMode), and the map
// client_kinds, which says it of source addresses.

import type { BpfMap } from "../../libbpf/types.ts";
import { type Cidr, type Family, familyOf, ipToBytes } from "../../model/ip.ts";
import type { DetectLocalMode } from "../contract.ts";
import * as abi from "./abi.gen.ts";
import { encode } from "./codec.ts";

const { CLIENT_POD, CLIENT_OUTSIDE, CLIENT_UNTOLD } = abi.ClientKind;

/** enum detect_local */
export const DETECT_LOCAL: Readonly<Record<DetectLocalMode, number>> = {
  Device: abi.DetectLocal.DETECT_DEVICE,
  ClusterCIDR: abi.DetectLocal.DETECT_CLUSTER_CIDR,
  NodeCIDR: abi.DetectLocal.DETECT_NODE_CIDR,
  BridgeInterface: abi.DetectLocal.DETECT_BRIDGE_INTERFACE,
  InterfaceNamePrefix: abi.DetectLocal.DETECT_INTERFACE_NAME_PREFIX,
};

/** The mode of an agent's own cell. */
export function detectLocalMode(number: number): DetectLocalMode {
  const modes = Object.keys(DETECT_LOCAL) as DetectLocalMode[];
  return modes.find((mode) => DETECT_LOCAL[mode] === number) ?? "Device";
}

/** Of a family the range that counts, as kube-proxy has it: the first. */
export function firstOfFamily(ranges: readonly Cidr[], family: Family): Cidr | undefined {
  return ranges.find(({ address }) => familyOf(address) === family);
}

/** Both families in full, as the trie has them: IPv4 is ::ffff:0:0/96. */
const MAPPED: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0);
const FAMILIES: readonly { readonly family: Family; readonly bits: number; readonly addr: Uint8Array }[] = [
  { family: 4, bits: 96, addr: MAPPED },
  { family: 6, bits: 0, addr: new Uint8Array(16) },
];

/**
 * Makes the map say that these ranges, the first of each family, are local pods' and the rest of their families is
 * outside; a family without a range has no detector (row 35). The order of writing keeps a pod a pod at every moment;
 * nothing is written that is there already.
 */
export function writeClientKinds(map: BpfMap, pods: readonly Cidr[]): void {
  const wanted = new Map<string, Uint8Array>();
  const want = (prefixLength: number, addr: Uint8Array, kind: number): void => {
    wanted.set(latin1(encode(abi.clientRange, { prefixLength, addr })), encode(abi.clientRangeKind, { kind }));
  };
  for (const { family, bits, addr } of FAMILIES) {
    const range = firstOfFamily(pods, family);
    if (range?.prefixLength === 0) {
      want(bits, addr, CLIENT_POD); // everybody
      continue;
    }
    if (range) want(bits + range.prefixLength, ipToBytes(range.address), CLIENT_POD);
    want(bits, addr, range ? CLIENT_OUTSIDE : CLIENT_UNTOLD);
  }
  const there = new Map([...map.entries()].map(([key, value]) => [latin1(key), latin1(value)]));
  for (const [key, value] of wanted) {
    if (there.get(key) !== latin1(value)) map.update(Buffer.from(key, "latin1"), value);
  }
  for (const key of there.keys()) if (!wanted.has(key)) map.delete(Buffer.from(key, "latin1"));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
