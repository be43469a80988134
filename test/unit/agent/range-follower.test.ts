// SPDX-License-Identifier: Apache-2.0
// Which ranges of ClusterIPs the datapath is told of (behaviour row 46), and which it is not, lest silence meet somebody.

import { describe, expect, test } from "vitest";
import { openLog } from "../../../src/agent/log.ts";
import { RangeFollower, type Surroundings } from "../../../src/agent/range-follower.ts";
import { type ModelChanges, NO_CHANGES } from "../../../src/model/changes.ts";
import type { EndpointSlice } from "../../../src/model/endpoint-slice.ts";
import { type Cidr, familyOf, ipToBytes, parseCidr } from "../../../src/model/ip.ts";
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

interface Given {
  readonly clusterCidrs?: readonly Cidr[];
  readonly adopted?: readonly Cidr[];
  /** As they were before each step. */
  readonly slices?: readonly EndpointSlice[];
}

function follower({ clusterCidrs = [], adopted = [], slices = [] }: Given = {}) {
  const told: string[] = [];
  const network: { addresses: Addresses } = { addresses: [] };
  const datapath = {
    setServiceRanges: (ranges: readonly Cidr[]) => {
      told.push(ranges.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(" "));
    },
  };
  const flagged = [cidr("fd00:96::/108")];
  const around = { flagged, clusterCidrs, adopted, view: () => network, slices: () => slices };
  const ranges = new RangeFollower(around, datapath, openLog("text", "silent"));
  /** publish: what the rest of the agent does with the change meanwhile. */
  const step = (changes: ModelChanges, sure: boolean, publish = () => {}) => {
    ranges.update(changes, sure);
    publish();
    ranges.settle();
  };
  return { told, network, ranges, step };
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
  const current = { name: "n2", addresses: [ip(address)], podCidrs: [cidr(podCidr)], zone: undefined, leaving: false };
  return [{ previous: undefined, current: { kind: "Node", ...current } }];
}

test("row 46: what an earlier agent left counts until something is read; then each state is told once", () => {
  const { told, ranges, step } = follower();
  ranges.refresh();
  expect(told).toEqual([]);
  step(KUBERNETES, true);
  step({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual([BOTH]);
});

test("rows 46 and 83: other ranges of the configuration count at once, and with what is known of Nodes and endpoints", () => {
  const { told, ranges, step } = follower();
  ranges.setFlagged([cidr("10.100.0.0/16")]);
  expect(told).toEqual([]); // nothing has been read yet
  step({ ...KUBERNETES, serviceCidrs: [], nodes: node("192.0.2.2", "10.244.1.0/24") }, true);
  ranges.setFlagged([cidr("10.100.0.0/16"), cidr("10.244.0.0/16")]);
  ranges.setFlagged([cidr("fd00:96::/108")]);
  ranges.setFlagged([]);
  expect(told).toEqual(["10.100.0.0/16", "fd00:96::/108", ""]);
});

test("row 46: no range is told before all is known", () => {
  const { told, step } = follower();
  step({ ...KUBERNETES, synced: false }, true);
  step({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual(["", BOTH]);
});

test("row 46: while a Service is not read, or not in the maps, no address is nobody's", () => {
  const { told, step } = follower();
  step(KUBERNETES, true);
  step({ ...NO_CHANGES, synced: true }, false);
  step({ ...NO_CHANGES, synced: true }, true);
  expect(told).toEqual([BOTH, "", BOTH]);
});

test.each([
  ["pods of a Node", node("192.0.2.2", "10.100.1.0/24")],
  ["the Node's address", node("10.96.7.7", "10.244.1.0/24")],
  ["pods all around it", node("192.0.2.2", "10.0.0.0/8")],
])("row 46: a range that overlaps %s is left out", (_, nodes) => {
  const { told, step } = follower();
  step({ ...KUBERNETES, nodes }, true);
  expect(told).toEqual([NONE_OF_IPV4]);
});

test("row 46: Nodes come, move and go: a range counts once none of them shares an address with it", () => {
  const { told, step } = follower();
  const of = (name: string, podCidr?: string) => ({
    ...({ kind: "Node", name, addresses: [], zone: undefined, leaving: false } as const),
    podCidrs: podCidr === undefined ? [] : [cidr(podCidr)],
  });
  const nodes = (...changes: ModelChanges["nodes"]) => step({ ...NO_CHANGES, synced: true, nodes: changes }, true);
  const [one, two, away] = [of("n1", "10.100.1.0/24"), of("n2", "10.100.2.0/24"), of("n1", "10.244.1.0/24")];
  nodes({ previous: undefined, current: one });
  step(KUBERNETES, true); // of a Node that was there before it
  nodes({ previous: one, current: away }, { previous: undefined, current: two });
  nodes({ previous: two, current: two });
  expect(told).toEqual([NONE_OF_IPV4]);
  nodes({ previous: two, current: undefined });
  expect(told).toEqual([NONE_OF_IPV4, BOTH]);
});

test("row 46: so is one that overlaps the cluster CIDR", () => {
  const { told, step } = follower({ clusterCidrs: [cidr("10.100.0.0/16")] });
  step(KUBERNETES, true);
  expect(told).toEqual([NONE_OF_IPV4]);
});

test("row 46: or a network of an interface, as they come and go; a ClusterIP on one is none", () => {
  const { told, network, ranges, step } = follower();
  network.addresses = [onInterface("10.96.0.10", 32), onInterface("fd00:96::a", 128), onInterface("172.20.0.1", 16)];
  step(KUBERNETES, true);
  network.addresses = [onInterface("10.99.0.1", 16)];
  ranges.refresh();
  network.addresses = [];
  ranges.refresh();
  expect(told).toEqual([BOTH, NONE_OF_IPV4, BOTH]);
});

function slice(name: string, ...addresses: readonly string[]): EndpointSlice {
  const endpoints = addresses.map((address) => ({
    address: ip(address),
    nodeName: undefined,
    zone: undefined,
    hints: undefined,
    ready: true,
    serving: true,
    terminating: false,
  }));
  const family = familyOf(ip(addresses[0] ?? "10.0.0.1"));
  const of = { kind: "EndpointSlice", namespace: "default", name, serviceName: "outer", headless: false } as const;
  return { ...of, family, ports: [{ name: "", protocol: "TCP", port: 80 }], endpoints };
}

const sliced = (previous?: EndpointSlice, current?: EndpointSlice): ModelChanges => ({
  ...NO_CHANGES,
  synced: true,
  endpointSlices: [{ previous, current }],
});

describe("row 46: a range with an endpoint in it", () => {
  const one = slice("one", "10.244.1.1", "10.100.0.7");
  const two = slice("two", "10.100.0.7");

  test("is withdrawn before the endpoint's Service is published, and is there again after the last has gone", () => {
    const { told, step } = follower();
    const published: number[] = [];
    const publish = () => published.push(told.length);
    step(KUBERNETES, true, publish);
    step(sliced(undefined, one), true, publish);
    step(sliced(undefined, two), true, publish);
    step(sliced(one, slice("one", "10.244.1.1")), true, publish);
    expect(told).toEqual([BOTH, NONE_OF_IPV4]);
    step(sliced(two), true, publish);
    expect(told).toEqual([BOTH, NONE_OF_IPV4, BOTH]);
    expect(published).toEqual([0, 2, 2, 2, 2]);
  });

  test("is found among the slices that were there before the range", () => {
    const { told, step } = follower({ slices: [one, slice("six", "fd00:97::1")] });
    step(sliced(), true);
    expect(told).toEqual([NONE_OF_IPV4]);
    step(KUBERNETES, true);
    expect(told).toEqual([NONE_OF_IPV4]);
    step(sliced(one), true);
    expect(told).toEqual([NONE_OF_IPV4, BOTH]);
  });

  test("is left out at the start; what an earlier agent left of it goes before anything is published", () => {
    const adopted = ["10.96.0.0/12", "fd00:96::/108", "10.0.0.0/8"].map(cidr);
    const { told, step } = follower({ adopted });
    const published: number[] = [];
    const { endpointSlices } = sliced(undefined, one);
    step({ ...KUBERNETES, endpointSlices }, true, () => published.push(told.length));
    expect([told, published]).toEqual([[NONE_OF_IPV4], [1]]);
  });

  test("is not, if the endpoint is beside it or the slice is left alone", () => {
    const { told, step } = follower();
    step(KUBERNETES, true);
    step(sliced(undefined, slice("near", "10.95.255.255", "10.112.0.0")), true);
    step(sliced(undefined, { ...one, headless: true }), true);
    expect(told).toEqual([BOTH]);
  });
});
