// SPDX-License-Identifier: Apache-2.0
// The map writer over maps in memory: what it writes, in which order, and what it leaves alone.

import { describe, expect, it } from "vitest";
import type { CompiledService, Delta, ServiceKey } from "../../../src/compile/state.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import { readWord } from "../../../src/datapath/ebpf/words.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import type { Ip } from "../../../src/model/ip.ts";
import { clusterIp, type MemoryMaps, member, memoryMaps, nodePort, service } from "./memory-maps.ts";

const NOTHING = {
  servicesWritten: 0,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

function upsert(...services: CompiledService[]): Delta {
  return { upsert: services, remove: [] };
}

function writerOver(maps: MemoryMaps, errors: unknown[] = []): MapWriter {
  const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: (error) => errors.push(error) });
  writer.adopt();
  return writer;
}

function violations(maps: MemoryMaps, writer: MapWriter) {
  return checkInvariants(writer.stores.cells, maps, writer.stores);
}

describe("the map writer", () => {
  const web = service("web", { cluster: [member("10.0.0.1"), member("10.0.0.2")] });

  it("counts what a first service takes", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const report = writer.sync(upsert(web));
    expect(report).toEqual({ ...NOTHING, servicesWritten: 1, frontendsWritten: 1, backendsWritten: 2 });
    expect(violations(maps, writer)).toEqual([]);
    expect(readWord(writer.stores.cells.services, 1).epoch).toBe(1);
  });

  it("writes nothing when the same state comes again as new objects", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    writer.sync(upsert(web));
    let writes = 0;
    for (const map of Object.values(maps)) map.onWrite = () => writes++;
    expect(writer.apply(upsert(structuredClone(web)))).toEqual(NOTHING);
    expect(writes).toBe(0);
    expect(readWord(writer.stores.cells.services, 1).epoch).toBe(1);
  });

  it("writes nothing when another agent takes over the same state", async () => {
    const maps = memoryMaps();
    const full = service("full", {
      type: "NodePort",
      frontends: [clusterIp("10.96.0.2"), nodePort(30080)],
      cluster: [member("10.0.0.1", { local: true, zone: "z1" }), member("10.0.0.3", { weight: 3 })],
      local: [member("10.0.0.1", { local: true, zone: "z1" })],
      externalLocal: true,
      hasAnyEndpoints: true,
    });
    const first = writerOver(maps);
    first.sync(upsert(web, full));
    await first.drained();
    const writes: string[] = [];
    for (const map of Object.values(maps)) map.onWrite = () => writes.push(map.name);
    const onWrite = (map: string) => writes.push(map);
    const second = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: () => {}, onWrite });
    expect(new Set(second.adopt())).toEqual(new Set([web.key, full.key]));
    expect(second.warnings).toEqual([]);
    expect(second.sync(upsert(web, full))).toEqual(NOTHING);
    await second.drained();
    expect(writes).toEqual([]);
  });

  it("writes nothing on a restart for a NodePort without endpoints or an address that stands twice", () => {
    const maps = memoryMaps();
    const twice = { kind: "ExternalIP", address: "10.96.0.1" as Ip, port: 80 } as const;
    const odd = service("odd", { type: "NodePort", frontends: [clusterIp("10.96.0.1"), twice, nodePort(30001)] });
    expect(writerOver(maps).sync(upsert(odd))).toMatchObject({ servicesWritten: 1, frontendsWritten: 2 });
    expect(writerOver(maps).sync(upsert(odd))).toEqual(NOTHING);
  });

  it("takes away what the first sync does not name", () => {
    const maps = memoryMaps();
    writerOver(maps).sync(upsert(web, service("old", { frontends: [clusterIp("10.96.0.9")] })));
    const writer = writerOver(maps);
    expect(writer.sync(upsert(web))).toEqual({ ...NOTHING, servicesRemoved: 1, frontendsRemoved: 1 });
    expect([...maps.frontends.entries()]).toHaveLength(1);
    expect(violations(maps, writer)).toEqual([]);
  });

  it("shares backends between services, and frees an id only after an RCU period", async () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const other = service("other", { frontends: [clusterIp("10.96.0.2")], cluster: [member("10.0.0.1")] });
    expect(writer.sync(upsert(web, other)).backendsWritten).toBe(2);
    writer.apply({ upsert: [], remove: [web.key] });
    const { pool } = writer.stores.backends;
    expect([pool.isFree(1), pool.isFree(2)]).toEqual([false, false]);
    await writer.drained();
    expect([pool.isFree(1), pool.isFree(2)]).toEqual([false, true]);
    expect(writer.stores.cells.backends.isZero(2)).toBe(true);
  });

  it("moves a frontend from one service to another without a gap", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const other = service("other", { frontends: [], cluster: [member("10.0.0.7")] });
    writer.sync(upsert(web, other));
    const owners: number[] = [];
    maps.frontends.onWrite = () => owners.push([...maps.frontends.entries()].length);
    const report = writer.apply(upsert({ ...web, frontends: [] }, { ...other, frontends: web.frontends }));
    expect(report).toMatchObject({ servicesWritten: 0, frontendsWritten: 1, frontendsRemoved: 0 });
    expect(owners).toEqual([1]);
  });

  it("gives the local set its own rows and table only when it is no prefix of the cluster set", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const [a, b, c] = [member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3")];
    const base = { externalLocal: true, hasAnyEndpoints: true, frontends: [nodePort(30001)] };
    writer.sync(upsert(service("prefix", { ...base, cluster: [a, b, c], local: [a] })));
    writer.apply(upsert(service("apart", { ...base, frontends: [nodePort(30002)], cluster: [a, b, c], local: [c] })));
    const headers = [1, 2].map((id) => {
      const { cells } = writer.stores;
      return cells.members.view.getUint32(cells.members.offset(readWord(cells.services, id).row) + 28, true);
    });
    expect(headers).toEqual([1, 2]);
    expect(violations(maps, writer)).toEqual([]);
  });

  it("keeps what runs and names map, service and flag when a map is full", () => {
    const maps = memoryMaps({ backends: 4 });
    const writer = writerOver(maps);
    writer.sync(upsert(web));
    const big = service("big", {
      frontends: [clusterIp("10.96.0.2")],
      cluster: [member("10.1.0.1"), member("10.1.0.2")],
    });
    expect(() => writer.apply(upsert(big))).toThrow(
      "map backends is full (4 entries), no room for endpoint 10.1.0.2 port 8080 of default/big:/TCP/IPv4: raise it with --max-backends, after",
    );
    expect([...writer.pending.keys()]).toEqual([big.key]);
    expect(violations(maps, writer)).toEqual([]);
    expect(writer.apply(upsert(web))).toEqual(NOTHING);
  });

  it("retries a change that found no room once an RCU period gave some back", async () => {
    const maps = memoryMaps({ backends: 4 });
    const writer = writerOver(maps);
    writer.sync(upsert(web));
    const next = service("web", { cluster: [member("10.1.0.1"), member("10.1.0.2")] });
    expect(() => writer.apply(upsert(next))).toThrow(/map backends is full/);
    writer.apply({ upsert: [], remove: [web.key] });
    const errors: unknown[] = [];
    expect(writer.apply(upsert(next))).toEqual(NOTHING);
    await writer.drained();
    expect(errors).toEqual([]);
    expect(writer.pending.size).toBe(0);
    expect(readWord(writer.stores.cells.services, 2).row + readWord(writer.stores.cells.services, 1).row).not.toBe(0);
    expect(violations(maps, writer)).toEqual([]);
  });

  it("serves at random what has no room for its lookup table, says so, and adds the table later", async () => {
    const maps = memoryMaps({ tables: 33 });
    const errors: unknown[] = [];
    const writer = writerOver(maps, errors);
    const [a, b] = ["a", "b"].map((name, i) =>
      service(name, { frontends: [nodePort(30000 + i)], cluster: [member("10.0.0.1")] }),
    ) as [CompiledService, CompiledService];
    writer.sync(upsert(a));
    expect(() => writer.apply(upsert(b))).toThrow(
      "map tables is full (33 entries), no room for the lookup tables of default/b:/TCP/IPv4, whose endpoints are chosen at",
    );
    const tableOf = (id: number) => {
      const { members, services } = writer.stores.cells;
      return members.view.getUint32(members.offset(readWord(services, id).row) + 20, true);
    };
    expect([tableOf(1), tableOf(2)]).toEqual([251, 0]);
    expect(() => writer.apply(upsert(b))).toThrow(/map tables is full/);
    expect(readWord(writer.stores.cells.services, 2).epoch).toBe(1);
    writer.apply({ upsert: [], remove: [a.key] });
    await writer.drained();
    expect(tableOf(2)).toBe(251);
    expect([writer.pending.size, errors]).toEqual([0, []]);
    expect(violations(maps, writer)).toEqual([]);
  });

  it("refuses a service of more endpoints than a set can number", () => {
    const writer = writerOver(memoryMaps());
    const many = service("many", { cluster: new Array(65536).fill(member("10.0.0.1")) });
    expect(() => writer.sync(upsert(many))).toThrow(
      /default\/many:\/TCP\/IPv4 has 65536 endpoints, more than the 65535/,
    );
  });

  it("writes node addresses that are new and deletes those that are gone", () => {
    const maps = memoryMaps();
    const writer = writerOver(maps);
    const [a, b] = ["192.0.2.1" as Ip, "2001:db8::1" as Ip];
    writer.setNodeAddresses([{ address: a, loopback: false, nodePort: true }]);
    writer.setNodeAddresses([{ address: b, loopback: false, nodePort: false }]);
    const entries = [...maps.addresses.entries()].map(([key, value]) => [Buffer.from(key).toString("hex"), value[0]]);
    expect(entries).toEqual([["20010db8000000000000000000000001", 4]]);
  });

  it("drops a service whose block was damaged, says so, and serves it anew", async () => {
    const maps = memoryMaps();
    const first = writerOver(maps);
    first.sync(upsert(web));
    first.stores.cells.backends.clear(2);
    const second = writerOver(maps);
    expect(second.warnings).toEqual([
      expect.stringMatching(/^service 1 of an earlier agent: its block .* backend 2, which/),
    ]);
    second.sync(upsert(web));
    await second.drained();
    expect(violations(maps, second)).toEqual([]);
    expect(second.stores.serviceIds.isFree(1)).toBe(true);
  });

  it("finds rows and ids that a killed agent leaked free again after a period", async () => {
    const maps = memoryMaps();
    const first = writerOver(maps);
    first.sync(upsert(web));
    first.stores.backends.acquire(member("10.9.9.9"), 6);
    const traits = {
      scheduler: 0,
      flags: 0,
      sourceKinds: 0,
      sourceSet: 0,
      affinityTimeout: 0,
      affinityEpoch: 0,
      endsEpoch: 0,
    };
    first.stores.blocks.write({ service: 5, cluster: [1], local: [], serving: [], ...traits, tables: true });
    const second = writerOver(maps);
    const free = second.stores.blocks.rows.freeRows;
    expect(second.stores.backends.pool.isFree(3)).toBe(false);
    second.sync(upsert(web));
    await second.drained();
    expect(second.stores.backends.pool.isFree(3)).toBe(true);
    expect(second.stores.cells.backends.isZero(3)).toBe(true);
    expect(second.stores.blocks.rows.freeRows).toBe(free + 2);
    expect(second.warnings).toEqual([]);
  });

  it("is handed a removal of what it never had, and does nothing", () => {
    const writer = writerOver(memoryMaps());
    expect(writer.apply({ upsert: [], remove: ["default/none:/TCP/IPv4" as ServiceKey] })).toEqual(NOTHING);
  });
});
