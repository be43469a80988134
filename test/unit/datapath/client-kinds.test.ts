// SPDX-License-Identifier: Apache-2.0
// The map client_kinds: which source addresses are local pods' (behaviour rows 35 and 38).

import { expect, test } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { DETECT_LOCAL, detectLocalMode, writeClientKinds } from "../../../src/datapath/ebpf/client-kinds.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import { FakeMap } from "../../../src/libbpf/fake.ts";
import { type Cidr, ipFromBytes, parseCidr } from "../../../src/model/ip.ts";

const KINDS = ["host", "pod", "outside", "untold"];

/** Notes every write, and what the map said then. */
class NotingMap extends FakeMap {
  readonly states: (readonly string[])[] = [];

  override update(key: Uint8Array, value: Uint8Array): void {
    super.update(key, value);
    this.states.push(said(this));
  }

  override delete(key: Uint8Array): boolean {
    const deleted = super.delete(key);
    this.states.push(said(this));
    return deleted;
  }
}

/** "10.244.0.0/112 pod", sorted; prefixes count from the first of 128 bits. */
function said(map: FakeMap): readonly string[] {
  const lines = [...map.entries()].map(([key, value]) => {
    const { prefixLength, addr } = decode(abi.clientRange, key);
    return `${ipFromBytes(addr)}/${prefixLength} ${KINDS[decode(abi.clientRangeKind, value).kind]}`;
  });
  return lines.sort();
}

function newMap(): NotingMap {
  const [keySize, valueSize] = [abi.clientRange.size, abi.clientRangeKind.size];
  return new NotingMap({ name: "client_kinds", type: 1, keySize, valueSize, maxEntries: 64 });
}

const cidrs = (...texts: readonly string[]): readonly Cidr[] => texts.flatMap((text) => parseCidr(text) ?? []);

test("row 38: pods' ranges are pods', the rest of their family is outside", () => {
  const map = newMap();
  writeClientKinds(map, cidrs("10.244.0.0/16", "fd00:10:244::/56"));
  expect(said(map)).toEqual(["0.0.0.0/96 outside", "10.244.0.0/112 pod", "::/0 outside", "fd00:10:244::/56 pod"]);
});

test("row 35: a family without a range has no detector", () => {
  const map = newMap();
  writeClientKinds(map, cidrs("fd00:10:244::/56"));
  expect(said(map)).toEqual(["0.0.0.0/96 untold", "::/0 outside", "fd00:10:244::/56 pod"]);
  writeClientKinds(map, []);
  expect(said(map)).toEqual(["0.0.0.0/96 untold", "::/0 untold"]);
});

test("row 38: of several ranges the first of a family counts; a whole family may be pods", () => {
  const map = newMap();
  writeClientKinds(map, cidrs("0.0.0.0/0", "fd00:1::/64", "10.0.0.0/8", "fd00:2::/64"));
  expect(said(map)).toEqual(["0.0.0.0/96 pod", "::/0 outside", "fd00:1::/64 pod"]);
});

test("row 38: while ranges change a pod is never outside, and nothing is written twice", () => {
  const map = newMap();
  writeClientKinds(map, []);
  map.states.length = 0;
  writeClientKinds(map, cidrs("10.244.1.0/24"));
  expect(map.states).toEqual([
    ["0.0.0.0/96 untold", "10.244.1.0/120 pod", "::/0 untold"],
    ["0.0.0.0/96 outside", "10.244.1.0/120 pod", "::/0 untold"],
  ]);
  map.states.length = 0;
  writeClientKinds(map, cidrs("10.244.1.0/24"));
  expect(map.states).toEqual([]);
  writeClientKinds(map, cidrs("10.245.1.0/24"));
  expect(map.states).toEqual([
    ["0.0.0.0/96 outside", "10.244.1.0/120 pod", "10.245.1.0/120 pod", "::/0 untold"],
    ["0.0.0.0/96 outside", "10.245.1.0/120 pod", "::/0 untold"],
  ]);
  map.states.length = 0;
  writeClientKinds(map, []);
  expect(map.states).toEqual([
    ["0.0.0.0/96 untold", "10.245.1.0/120 pod", "::/0 untold"],
    ["0.0.0.0/96 untold", "::/0 untold"],
  ]);
});

test("the mode is read back from the number that the programs know", () => {
  for (const mode of ["Device", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"] as const)
    expect(detectLocalMode(DETECT_LOCAL[mode])).toBe(mode);
});
