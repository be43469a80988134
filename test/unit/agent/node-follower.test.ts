// SPDX-License-Identifier: Apache-2.0
// What this node is, told to the driver: what the driver refuses once it is told again, without another change.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLog } from "../../../src/agent/log.ts";
import type { NodePortRule } from "../../../src/agent/node-addresses.ts";
import { NodeFollower } from "../../../src/agent/node-follower.ts";
import type { DeviceChanges, NodeAddress } from "../../../src/datapath/contract.ts";
import { classifyDevices, type DeviceRules } from "../../../src/datapath/devices/classify.ts";
import type { NetworkView } from "../../../src/datapath/network.ts";
import { BpfError } from "../../../src/libbpf/errors.ts";
import type { Cidr, Ip } from "../../../src/model/ip.ts";
import type { Node } from "../../../src/model/node.ts";
import { address, ip, network, veth } from "../devices/builders.ts";

const NODE: Node = {
  kind: "Node",
  name: "n1",
  addresses: [ip("192.0.2.7")],
  podCidrs: [{ address: ip("10.9.0.0"), prefixLength: 24 }],
  zone: undefined,
  leaving: false,
};
const EPERM = -1;
const ENODEV = -19;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A driver that holds what it was told; refuses: calls that fail; adopted: addresses that served NodePorts before. */
function world(rule: NodePortRule = [], adopted: readonly Ip[] = []) {
  const addresses = [address(5, [192, 0, 2, 7])];
  const view = network({ links: [veth(5, "veth5")], addresses });
  const refuses = new Set<string>();
  const said: string[] = [];
  /** Of uplinks and of pods, at each attachment. */
  const patterns: (readonly [string, string])[] = [];
  const say = (call: string, what: string): void => {
    if (refuses.has(call)) throw new Error(`${call}: ENOMEM`);
    said.push(`${call} ${what}`);
  };
  const text = (ranges: readonly Cidr[]) => ranges.map((range) => `${range.address}/${range.prefixLength}`).join();
  let errno = 0;
  const driver = {
    localRangesKnown: true,
    adoptedNodePorts: adopted,
    setPodRanges: (ranges: readonly Cidr[]) => say("pods", text(ranges)),
    setLocalRanges: (ranges: readonly Cidr[]) => say("local", text(ranges)),
    setNodeAddresses: (addresses: readonly NodeAddress[]) => say("addresses", addresses.map((a) => a.address).join()),
    attachDevices: (_: NetworkView, rules: DeviceRules): DeviceChanges => {
      patterns.push([rules.uplinkPatterns.join(), rules.podPatterns.join()]);
      const [device] = classifyDevices(view, { uplinkPatterns: [], podPatterns: [], nodeAddresses: [] }).values();
      if (!device) throw new Error("the veth is no device");
      say("attach", errno === 0 ? device.name : `${device.name} failed`);
      if (errno === 0) return { added: [device], changed: [], removed: [], failed: [], graded: [] };
      const error = new BpfError({ syscall: "bpf(BPF_LINK_CREATE)", errno, object: undefined });
      return { added: [], changed: [], removed: [], failed: [{ device, error }], graded: [] };
    },
  };
  const options = {
    nodeName: "n1",
    localDetector: { mode: "NodeCIDR" },
    localhostNodePorts: true,
    devices: [],
    podDevices: [],
  } as const;
  const devices = { view: () => view, onChange: () => {} };
  const log = openLog("text", "silent");
  const serving: (readonly string[])[] = [];
  const health = {
    setNodeAddresses: (all: readonly NodeAddress[]) =>
      serving.push(all.filter(({ nodePort }) => nodePort).map((entry) => entry.address)),
  };
  const others = { services: { setLocalAddresses: () => {} }, ranges: { refresh: () => {} }, health };
  const follower = new NodeFollower(options, rule, devices, { driver, ...others }, log);
  const fail = (code: number): void => {
    errno = code;
  };
  return { follower, said, refuses, fail, addresses, serving, patterns };
}

test("row 27: what could not be written of the node is written without another change, and then no more", async () => {
  const { follower, said, refuses } = world();
  for (const call of ["pods", "local", "addresses", "attach"]) refuses.add(call);
  follower.update([{ previous: undefined, current: NODE }]);
  follower.attach();
  expect(said).toEqual([]);
  await vi.advanceTimersByTimeAsync(1000);
  refuses.clear();
  for (const call of ["addresses", "attach"]) refuses.add(call);
  await vi.advanceTimersByTimeAsync(1999);
  expect(said).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(said).toEqual(["pods 10.9.0.0/24", "local 10.9.0.0/24"]);
  refuses.clear();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said).toEqual(["pods 10.9.0.0/24", "local 10.9.0.0/24", "addresses 192.0.2.7", "attach veth5"]);
});

test("what has changed meanwhile is written as it is now, once", async () => {
  const { follower, said, refuses } = world();
  follower.attach();
  refuses.add("local");
  follower.update([{ previous: undefined, current: NODE }]);
  refuses.clear();
  const podCidrs = [{ address: ip("10.8.0.0"), prefixLength: 24 }];
  follower.update([{ previous: NODE, current: { ...NODE, podCidrs } }]);
  said.length = 0;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said).toEqual([]);
});

test("row 38: ranges of local pods wait for the programs that they are for", () => {
  const { follower, said } = world();
  follower.update([{ previous: undefined, current: NODE }]);
  expect(said).toEqual(["pods 10.9.0.0/24", "addresses 192.0.2.7"]);
  follower.attach();
  expect(said.slice(2)).toEqual(["local 10.9.0.0/24", "addresses 192.0.2.7", "attach veth5"]);
});

test("a device that could not be attached to is tried again, one that has gone is not", async () => {
  const { follower, said, fail } = world();
  fail(EPERM);
  follower.attach();
  await vi.advanceTimersByTimeAsync(1000);
  fail(0);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said.filter((what) => what.startsWith("attach"))).toEqual([
    "attach veth5 failed",
    "attach veth5 failed",
    "attach veth5",
  ]);
  fail(ENODEV);
  said.length = 0;
  follower.refresh();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said.filter((what) => what.startsWith("attach"))).toEqual(["attach veth5 failed"]);
});

test("row 83: other devices, and other addresses for NodePorts, count at once", () => {
  const { follower, serving, patterns } = world();
  follower.attach();
  expect([serving.at(-1), patterns.at(-1)]).toEqual([["192.0.2.7"], ["", ""]]);
  const live = { devices: ["bond*"], podDevices: ["tap*"], localhostNodePorts: true };
  follower.reconfigure(live, [{ address: ip("198.51.100.0"), prefixLength: 24 }]);
  expect([serving.at(-1), patterns.at(-1)]).toEqual([[], ["bond*", "tap*"]]);
  follower.reconfigure({ ...live, podDevices: [] }, []);
  expect([serving.at(-1), patterns.at(-1)]).toEqual([["192.0.2.7"], ["bond*", ""]]);
});

test("nothing is tried any more once the follower is disposed of", async () => {
  const { follower, said, refuses } = world();
  refuses.add("addresses");
  follower.refresh();
  refuses.clear();
  follower[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said).toEqual([]);
});

test("row 28: while no Node is known, primary are the addresses that served before and are here", () => {
  const before = ["127.0.0.1", "192.0.2.7", "198.51.100.7"].map(ip);
  const { follower, serving, said, addresses } = world("primary", before);
  addresses.push(address(1, [127, 0, 0, 1]), address(5, [192, 0, 2, 8]));
  follower.attach();
  expect(serving.at(-1)).toEqual(["192.0.2.7"]);
  expect(said).toContain("addresses 192.0.2.7,127.0.0.1,192.0.2.8");
  addresses.push(address(6, [198, 51, 100, 7]));
  follower.refresh();
  expect(serving.at(-1)).toEqual(["192.0.2.7", "198.51.100.7"]);
  follower.update([{ previous: undefined, current: { ...NODE, addresses: [ip("192.0.2.8")] } }]);
  expect(serving.at(-1)).toEqual(["192.0.2.8"]);
});
