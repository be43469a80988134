// SPDX-License-Identifier: Apache-2.0
// Which ranges of ClusterIPs the datapath is told of (behaviour row 46), and which it is not, lest silence meet somebody.

import { expect, test } from "vitest";
import { openLog } from "../../../src/agent/log.ts";
import { RangeFollower, type Surroundings } from "../../../src/agent/range-follower.ts";
import { type ModelChanges, NO_CHANGES } from "../../../src/model/changes.ts";
import { type Cidr, ipToBytes, parseCidr } from "../../../src/model/ip.ts";
import { ip } from "../devices/builders.ts";

type Addresses = ReturnType<Surroundings["view"]>["addresses"];

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(text);
  return parsed;
}

function onInterface(address: string, prefixLength: number): Addresses[number] {
  const short = ipToBytes(ip(address)).subarray(address.includes(":") ? 0 : 12);
  return { ifindex: 1, address: short, prefixLength, scope: 0, flags: 0 };
}

function follower(clusterCidrs: readonly Cidr[] = []) {
  const told: string[] = [];
  const network: { addresses: Addresses } = { addresses: [] };
  const datapath = {
    setServiceRanges: (ranges: readonly Cidr[]) => {
      told.push(ranges.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(" "));
    },
  };
  const around = { flagged: [cidr("fd00:96::/108")], clusterCidrs, view: () => network };
  return { told, network, ranges: new RangeFollower(around, datapath, openLog("text", "silent")) };
}

const KUBERNETES: ModelChanges = {
  ...NO_CHANGES,
  synced: true,
  serviceCidrs: [
    { previous: undefined, current: { kind: "ServiceCIDR", name: "kubernetes", cidrs: [cidr("10.96.0.0/12")] } },
  ],
};
const BOTH = "fd00:96::/108 10.96.0.0/12";
const NONE_OF_IPV4 = "fd00:96::/108";

function node(address: string, podCidr: string): ModelChanges["nodes"] {
  const current = { name: "n2", addresses: [ip(address)], podCidrs: [cidr(podCidr)], zone: undefined };
  return [{ previous: undefined, current: { kind: "Node", ...current } }];
}

test("row 46: what an earlier agent left counts until something is read; then each state is told once", () => {
  const { told, ranges } = follower();
  ranges.refresh();
  expect(told).toEqual([]);
  ranges.update(KUBERNETES, true);
  ranges.update({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual([BOTH]);
});

test("row 46: no range is told before all is known", () => {
  const { told, ranges } = follower();
  ranges.update({ ...KUBERNETES, synced: false }, true);
  ranges.update({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual(["", BOTH]);
});

test("row 46: while a Service is not read, or not in the maps, no address is nobody's", () => {
  const { told, ranges } = follower();
  ranges.update(KUBERNETES, true);
  ranges.update({ ...NO_CHANGES, synced: true }, false);
  ranges.update({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual([BOTH, "", BOTH]);
});

test.each([
  ["pods of a Node", node("192.0.2.2", "10.100.1.0/24")],
  ["the Node's address", node("10.96.7.7", "10.244.1.0/24")],
  ["pods all around it", node("192.0.2.2", "10.0.0.0/8")],
])("row 46: a range that overlaps %s is left out", (_, nodes) => {
  const { told, ranges } = follower();
  ranges.update({ ...KUBERNETES, nodes }, true);
  expect(told).toEqual([NONE_OF_IPV4]);
});

test("row 46: so is one that overlaps the cluster CIDR", () => {
  const { told, ranges } = follower([cidr("10.100.0.0/16")]);
  ranges.update(KUBERNETES, true);
  expect(told).toEqual([NONE_OF_IPV4]);
});

test("row 46: or a network of an interface, as they come and go; a ClusterIP on one is none", () => {
  const { told, network, ranges } = follower();
  network.addresses = [onInterface("10.96.0.10", 32), onInterface("fd00:96::a", 128), onInterface("172.20.0.1", 16)];
  ranges.update(KUBERNETES, true);
  network.addresses = [onInterface("10.99.0.1", 16)];
  ranges.refresh();
  network.addresses = [];
  ranges.refresh();
  expect(told).toEqual([BOTH, NONE_OF_IPV4, BOTH]);
});
