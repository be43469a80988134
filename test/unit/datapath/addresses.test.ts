// SPDX-License-Identifier: Apache-2.0
// What the maps say of an address, whatever the port, and where ClusterIPs come from (behaviour row 46).

import { describe, expect, test } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { AddressTable } from "../../../src/datapath/ebpf/addresses.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import { type Ip, ipFromBytes, ipToBytes, parseCidr } from "../../../src/model/ip.ts";
import { clusterIp, MemoryMap, type MemoryMaps, memoryMaps, nodePort, service, writerOver } from "./memory-maps.ts";

const external = { kind: "ExternalIP", address: "192.0.2.1" as Ip, port: 80 } as const;
const addresses = (...texts: readonly string[]): ReadonlySet<Ip> => new Set(texts as readonly Ip[]);
const idOf = (address: string) => Buffer.from(ipToBytes(address as Ip)).toString("latin1");
const node = (address: string) => ({ address: address as Ip, loopback: false, nodePort: true });

/** `10.96.0.1 cluster_ip` by address. */
function addressesIn(maps: Pick<MemoryMaps, "addresses">): readonly string[] {
  const lines = [...maps.addresses.entries()].map(([key, value]) => {
    const { flags } = decode(abi.address, value);
    const names = Object.entries(abi.addressFlagsNames).filter(([bit]) => (flags & Number(bit)) !== 0);
    return [ipFromBytes(key), ...names.map(([, name]) => name)].join(" ");
  });
  return lines.sort();
}

describe("row 46: the addresses map", () => {
  const web = service("web", { frontends: [clusterIp("10.96.0.1"), external, nodePort(30080)] });
  const more = service("more", { frontends: [clusterIp("10.96.0.1", 81)] });

  test("says that an address is served for as long as any port of it is", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    writer.sync({ upsert: [web, more], remove: [] });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip", "192.0.2.1 external"]);
    writer.apply({ upsert: [], remove: [web.key] });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip"]);
    writer.apply({ upsert: [{ ...more, frontends: [clusterIp("10.96.0.2", 81)] }], remove: [] });
    expect(addressesIn(maps)).toEqual(["10.96.0.2 cluster_ip"]);
    writer.apply({ upsert: [], remove: [more.key] });
    expect(addressesIn(maps)).toEqual([]);
  });

  test("keeps what the node and what Services say of one address apart", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    writer.setNodeAddresses([node("192.0.2.1")]);
    writer.sync({ upsert: [web], remove: [] });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip", "192.0.2.1 node_port node external"]);
    writer.setNodeAddresses([]);
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip", "192.0.2.1 external"]);
    writer.setNodeAddresses([node("192.0.2.1")]);
    writer.apply({ upsert: [], remove: [web.key] });
    expect(addressesIn(maps)).toEqual(["192.0.2.1 node_port node"]);
  });

  test("is not written by an agent that takes over with nothing changed, and repaired after one that was killed", () => {
    const maps = memoryMaps();
    const first = writerOver(maps);
    first.setNodeAddresses([node("192.0.2.7")]);
    first.sync({ upsert: [web, more], remove: [] });
    const before = addressesIn(maps);
    const writes: string[] = [];
    maps.addresses.update = () => writes.push("update");
    maps.addresses.delete = () => writes.push("delete") > 0;
    const second = writerOver(maps);
    second.setNodeAddresses([node("192.0.2.7")]);
    second.sync({ upsert: [web, more], remove: [] });
    expect(writes).toEqual([]);

    const killed = memoryMaps();
    writerOver(killed).sync({ upsert: [web], remove: [] });
    for (const [key] of [...killed.addresses.entries()]) killed.addresses.delete(key);
    writerOver(killed).sync({ upsert: [web], remove: [] });
    expect(addressesIn(killed)).toEqual(before.filter((line) => !line.startsWith("192.0.2.7")));
  });

  test("knows ClusterIPs that are another proxy's, from before they change hands until after", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const seen: (readonly string[])[] = [];
    for (const map of [maps.addresses, maps.frontends]) {
      for (const method of ["update", "delete"] as const) {
        const through = map[method].bind(map) as (...args: readonly unknown[]) => boolean;
        map[method] = (...args: readonly unknown[]) => {
          const done = through(...args);
          seen.push([...addressesIn(maps), `${[...maps.frontends.entries()].length} frontends`]);
          return done;
        };
      }
    }
    writer.sync({ upsert: [more], remove: [] });
    writer.apply({ upsert: [], remove: [more.key], foreign: addresses("10.96.0.1") });
    writer.apply({ upsert: [more], remove: [], foreign: addresses() });
    expect(seen).toEqual([
      ["1 frontends"],
      ["10.96.0.1 cluster_ip", "1 frontends"],
      ["10.96.0.1 cluster_ip foreign", "1 frontends"],
      ["10.96.0.1 cluster_ip foreign", "0 frontends"],
      ["10.96.0.1 foreign", "0 frontends"],
      ["10.96.0.1 foreign", "1 frontends"],
      ["10.96.0.1 cluster_ip", "1 frontends"],
    ]);
  });

  test("keeps those of an earlier agent until all is known", () => {
    const maps = memoryMaps();
    const first = writerOver(maps);
    first.sync({ upsert: [more], remove: [], foreign: addresses("10.96.0.7", "10.96.0.8") });
    const second = writerOver(maps);
    second.apply({ upsert: [], remove: [], foreign: addresses("10.96.0.9") });
    const others = ["10.96.0.7 foreign", "10.96.0.8 foreign", "10.96.0.9 foreign"];
    // nor is it known that 10.96.0.1 has no more ports than the earlier agent served
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip unsure", ...others]);
    second.sync({ upsert: [more], remove: [], foreign: addresses(), partial: true });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip unsure", ...others]);
    second.apply({ upsert: [], remove: [], foreign: addresses("10.96.0.8", "10.96.0.9"), partial: false });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip", ...others.slice(1)]);
    second.sync({ upsert: [more], remove: [], foreign: addresses("10.96.0.8") });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip", "10.96.0.8 foreign"]);
    writerOver(maps).sync({ upsert: [more], remove: [] });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip"]);
  });

  test("forgets the frontends that name no service any more, with the first complete state", () => {
    const maps = memoryMaps();
    writerOver(maps).sync({ upsert: [web, more], remove: [] });
    maps.services.update(new Uint8Array(4).fill(0).with(0, 1), new Uint8Array(8)); // web's word
    const writer = writerOver(maps);
    writer.sync({ upsert: [more], remove: [] });
    expect(addressesIn(maps)).toEqual(["10.96.0.1 cluster_ip"]);
  });

  test("that is full takes what fits and the rest when there is room", () => {
    const map = new MemoryMap("addresses", 16, abi.address.size, 2);
    const table = new AddressTable(map);
    for (const last of [1, 2, 3]) table.count(idOf(`10.96.0.${last}`), abi.FrontendKind.FRONTEND_CLUSTER_IP, 1);
    expect(() => table.flush()).toThrow("map addresses is full (2 entries), no room for every address");
    table.count(idOf("10.96.0.1"), abi.FrontendKind.FRONTEND_CLUSTER_IP, -1);
    table.flush();
    expect(addressesIn({ addresses: map })).toEqual(["10.96.0.2 cluster_ip", "10.96.0.3 cluster_ip"]);
  });

  test("that is full has the node's all the same: what only says that another serves there makes room", () => {
    const map = new MemoryMap("addresses", 16, abi.address.size, 3);
    const table = new AddressTable(map);
    const seen: (readonly string[])[] = [];
    const evicting = () => seen.push(addressesIn({ addresses: map }));
    table.addForeign(addresses("10.96.0.1", "10.96.0.2", "10.96.0.3"));
    table.flush();
    table.replaceNode([node("192.0.2.1"), node("10.96.0.1")], evicting);
    const others = ["10.96.0.2 foreign", "10.96.0.3 foreign"];
    expect(seen).toEqual([["10.96.0.1 foreign", ...others]]);
    expect(addressesIn({ addresses: map })).toEqual([
      "10.96.0.1 node_port node foreign",
      "10.96.0.3 foreign",
      "192.0.2.1 node_port node",
    ]);
    expect(table.isBehind).toBe(true);
    table.replaceNode([node("10.96.0.1")], evicting);
    expect(addressesIn({ addresses: map })).toEqual(["10.96.0.1 node_port node foreign", ...others]);
    expect([table.isBehind, seen.length]).toEqual([false, 1]);
  });

  test("and what waits for room is the node's before it is a Service's", () => {
    const map = new MemoryMap("addresses", 16, abi.address.size, 2);
    const table = new AddressTable(map);
    for (const last of [1, 2]) table.count(idOf(`10.96.0.${last}`), abi.FrontendKind.FRONTEND_CLUSTER_IP, 1);
    table.flush();
    table.addForeign(addresses("10.96.0.3"));
    expect(() => table.flush()).toThrow("no room");
    expect(() => table.replaceNode([node("192.0.2.1")], () => {})).toThrow("no room");
    table.count(idOf("10.96.0.1"), abi.FrontendKind.FRONTEND_CLUSTER_IP, -1);
    expect(() => table.flush()).toThrow("no room");
    expect(addressesIn({ addresses: map })).toEqual(["10.96.0.2 cluster_ip", "192.0.2.1 node_port node"]);
  });
});

const ranges = (...texts: readonly string[]) => texts.flatMap((text) => parseCidr(text) ?? []);

/** `10.96.0.0/112` by slot; prefix 0: the slot is free. */
function cellOf(maps: MemoryMaps): readonly string[] {
  const cell = maps.service_ranges.lookup(new Uint8Array(4)) ?? new Uint8Array();
  const { used, range } = decode(abi.serviceRanges, cell);
  return range.slice(0, used).map(({ addr, prefix }) => `${ipFromBytes(addr)}/${prefix}`);
}

describe("row 46: the ranges of ClusterIPs", () => {
  test("stand in slots of their own: a slot is free before it is another's, and its prefix comes last", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const seen: (readonly string[])[] = [];
    const update = maps.service_ranges.update.bind(maps.service_ranges);
    maps.service_ranges.update = (key, value) => {
      update(key, value);
      seen.push(cellOf(maps));
    };
    writer.setServiceRanges(ranges("10.96.0.0/16", "fd00:96::/112"));
    writer.setServiceRanges(ranges("10.96.0.0/16", "fd00:96::/112"));
    writer.setServiceRanges(ranges("fd00:96::/112", "10.112.0.0/20"));
    writer.setServiceRanges(ranges("fd00:96::/112"));
    expect(seen).toEqual([
      ["10.96.0.0/0", "fd00:96::/0"],
      ["10.96.0.0/112", "fd00:96::/112"],
      ["10.96.0.0/0", "fd00:96::/112"],
      ["10.112.0.0/0", "fd00:96::/112"],
      ["10.112.0.0/116", "fd00:96::/112"],
      ["10.112.0.0/0", "fd00:96::/112"],
      ["::/0", "fd00:96::/112"],
    ]);
  });

  test("are adopted, and beyond 32 those that fit are in force", () => {
    const maps = memoryMaps();
    const many = Array.from({ length: 33 }, (_, i) => `10.${i}.0.0/16`);
    expect(() => writerOver(maps).setServiceRanges(ranges(...many))).toThrow(
      "1 ranges of ClusterIPs more than there is room for",
    );
    expect(cellOf(maps)).toEqual(Array.from({ length: 32 }, (_, i) => `10.${i}.0.0/112`));
    writerOver(maps).setServiceRanges(ranges("fd00:96::/112", "10.3.0.0/16"));
    expect(cellOf(maps).filter((line) => !line.endsWith("/0"))).toEqual(["fd00:96::/112", "10.3.0.0/112"]);
    expect(writerOver(maps).stores.serviceRanges.ranges).toEqual(ranges("fd00:96::/112", "10.3.0.0/16"));
  });
});
