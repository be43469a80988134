// SPDX-License-Identifier: Apache-2.0
// Nothing is refused or dropped while something is not known, or not in the maps (behaviour row 46).

import { expect, test } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import { type Ip, ipFromBytes, parseCidr } from "../../../src/model/ip.ts";
import { clusterIp, type MemoryMaps, memoryMaps, service, writerOver } from "./memory-maps.ts";

const CLUSTER_IPS = [parseCidr("10.96.0.0/16") ?? []].flat();
const IN_FORCE = ["10.96.0.0/112"];
const web = service("web", { frontends: [clusterIp("10.96.0.1")] });
const more = service("more", { frontends: [clusterIp("10.96.0.1", 81)] });
const other = service("other", { frontends: [clusterIp("10.96.0.2")] });
const foreign = (...texts: readonly string[]): ReadonlySet<Ip> => new Set(texts as readonly Ip[]);

/** Where what no Service has is dropped. */
function dropped(maps: MemoryMaps): readonly string[] {
  const cell = maps.service_ranges.lookup(new Uint8Array(4)) ?? new Uint8Array(abi.serviceRanges.size);
  const { used, range } = decode(abi.serviceRanges, cell);
  const inForce = range.slice(0, used).filter(({ prefix }) => prefix > 0);
  return inForce.map(({ addr, prefix }) => `${ipFromBytes(addr)}/${prefix}`);
}

/** ClusterIPs whose other ports are refused. */
function refusing(maps: MemoryMaps): readonly string[] {
  const { ADDRESS_CLUSTER_IP, ADDRESS_FOREIGN, ADDRESS_NODE, ADDRESS_UNSURE } = abi.AddressFlags;
  const mask = ADDRESS_CLUSTER_IP | ADDRESS_FOREIGN | ADDRESS_NODE | ADDRESS_UNSURE;
  const entries = [...maps.addresses.entries()].filter(
    ([, value]) => (decode(abi.address, value).flags & mask) === ADDRESS_CLUSTER_IP,
  );
  return entries.map(([key]) => ipFromBytes(key) as string).sort();
}

test("row 46: where another's ClusterIP finds no room, no address is nobody's from before its frontends go", async () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  writer.sync({ upsert: [web, other], remove: [] });
  writer.setServiceRanges(CLUSTER_IPS);
  expect(dropped(maps)).toEqual(IN_FORCE);
  Object.defineProperty(maps.addresses, "maxEntries", { value: 2 });
  const seen: (readonly string[])[] = [];
  maps.frontends.onWrite = () => seen.push(dropped(maps));
  writer.apply({ upsert: [], remove: [other.key], foreign: foreign("10.96.0.2", "10.96.0.3") });
  expect([seen, dropped(maps), refusing(maps)]).toEqual([[[]], [], ["10.96.0.1"]]);
  await writer.drained();
  writer.apply({ upsert: [], remove: [], foreign: foreign("10.96.0.3") }); // where 10.96.0.2 was there is room
  expect(dropped(maps)).toEqual(IN_FORCE);
});

test("row 46: a system call that fails as another's ClusterIP is written leaves the frontends where they are", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  writer.sync({ upsert: [web, other], remove: [] });
  writer.setServiceRanges(CLUSTER_IPS);
  const write = maps.addresses.updateBatch;
  maps.addresses.updateBatch = () => {
    throw new Error("ENOMEM");
  };
  expect(() => writer.apply({ upsert: [], remove: [other.key], foreign: foreign("10.96.0.2") })).toThrow("ENOMEM");
  expect([[...maps.frontends.entries()].length, dropped(maps)]).toEqual([2, []]);
  maps.addresses.updateBatch = write;
  writer.retry();
  expect([[...maps.frontends.entries()].length, dropped(maps), refusing(maps)]).toEqual([1, IN_FORCE, ["10.96.0.1"]]);
});

test("row 46: no port of a ClusterIP is refused while one waits for room, and no address is nobody's", () => {
  const maps = memoryMaps({ frontends: 2 });
  const writer = writerOver(maps);
  writer.sync({ upsert: [web, other], remove: [] });
  writer.setServiceRanges(CLUSTER_IPS);
  expect(refusing(maps)).toEqual(["10.96.0.1", "10.96.0.2"]);
  expect(() => writer.apply({ upsert: [more], remove: [] })).toThrow("map frontends is full (2 entries)");
  expect([refusing(maps), dropped(maps)]).toEqual([["10.96.0.2"], []]);
  writer.apply({ upsert: [], remove: [other.key] });
  writer.retry();
  expect([refusing(maps), dropped(maps)]).toEqual([["10.96.0.1"], IN_FORCE]);
});

test("row 46: nor while not all could be read, after a restart as at the first start", () => {
  const maps = memoryMaps();
  const first = writerOver(maps);
  first.sync({ upsert: [web], remove: [], foreign: foreign("10.96.0.7") });
  first.setServiceRanges(CLUSTER_IPS);
  const second = writerOver(maps);
  expect([refusing(maps), dropped(maps)]).toEqual([["10.96.0.1"], IN_FORCE]);
  second.apply({ upsert: [more], remove: [], partial: true });
  second.setServiceRanges(CLUSTER_IPS);
  expect([refusing(maps), dropped(maps)]).toEqual([[], []]);
  second.sync({ upsert: [web, more], remove: [], foreign: foreign("10.96.0.7") });
  expect([refusing(maps), dropped(maps)]).toEqual([["10.96.0.1"], IN_FORCE]);

  second.apply({ upsert: [], remove: [], partial: true });
  const killed = writerOver(maps);
  killed.setNodeAddresses([{ address: "192.0.2.1" as Ip, loopback: false, nodePort: true }]);
  expect(refusing(maps)).toEqual([]); // it does not know yet what the one before did not

  const fresh = memoryMaps();
  const third = writerOver(fresh);
  third.sync({ upsert: [web], remove: [], partial: true });
  third.setServiceRanges(CLUSTER_IPS);
  expect([refusing(fresh), dropped(fresh)]).toEqual([[], []]);
  third.apply({ upsert: [other], remove: [], partial: false });
  expect([refusing(fresh), dropped(fresh)]).toEqual([["10.96.0.1", "10.96.0.2"], IN_FORCE]);
});

test("row 46: the node's addresses find room before another's; while one of these has none, no address is nobody's", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  writer.sync({ upsert: [web], remove: [], foreign: foreign("10.96.0.7", "10.96.0.8") });
  writer.setServiceRanges(CLUSTER_IPS);
  Object.defineProperty(maps.addresses, "maxEntries", { value: 3 });
  const seen: (readonly string[])[] = [];
  maps.addresses.onWrite = () => seen.push(dropped(maps));
  writer.setNodeAddresses([{ address: "192.0.2.1" as Ip, loopback: false, nodePort: true }]);
  const known = () => [...maps.addresses.entries()].map(([key]) => ipFromBytes(key) as string).sort();
  expect([known(), dropped(maps), seen]).toEqual([["10.96.0.1", "10.96.0.8", "192.0.2.1"], [], [[], []]]);
  writer.setNodeAddresses([]);
  expect([known(), dropped(maps)]).toEqual([["10.96.0.1", "10.96.0.7", "10.96.0.8"], IN_FORCE]);
});
