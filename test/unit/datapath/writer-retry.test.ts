// SPDX-License-Identifier: Apache-2.0
// System calls that fail on the way of a change: what is thrown, what holds meanwhile, and that a retry completes it.

import { expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { clusterIp, type MemoryMap, type MemoryMaps, member, memoryMaps, service } from "./memory-maps.ts";

function serviceAt(name: string, ...addresses: string[]): CompiledService {
  return service(name, { frontends: addresses.map((one) => clusterIp(one)), cluster: [member("10.0.0.1")] });
}

function writerOver(maps: MemoryMaps): MapWriter {
  const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: () => {} });
  writer.adopt();
  return writer;
}

function failing(map: MemoryMap, call: "update" | "delete"): Disposable {
  map[call] = () => {
    throw new Error(`${map.name}: ENOMEM`);
  };
  return { [Symbol.dispose]: () => Reflect.deleteProperty(map, call) };
}

/** Frontends in the map, as a reader finds them. */
function frontends(maps: MemoryMaps): readonly string[] {
  return [...maps.frontends.entries()].map(([key]) => key.subarray(12, 16).join(".")).sort();
}

function violations(maps: MemoryMaps, writer: MapWriter) {
  return checkInvariants(writer.stores.cells, maps, writer.stores);
}

test("a frontend that could not be written is there after a retry", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  writer.sync({ upsert: [serviceAt("web", "10.96.0.1")], remove: [] });
  {
    using _broken = failing(maps.frontends, "update");
    const delta = { upsert: [serviceAt("api", "10.96.0.2")], remove: [] };
    expect(() => writer.apply(delta)).toThrow("frontends: ENOMEM");
    expect(() => writer.retry()).toThrow("frontends: ENOMEM");
  }
  expect(frontends(maps)).toEqual(["10.96.0.1"]);
  expect(writer.retry().frontendsWritten).toBe(1);
  expect(frontends(maps)).toEqual(["10.96.0.1", "10.96.0.2"]);
  expect([writer.pending.size, violations(maps, writer)]).toEqual([0, []]);
});

test("a removed service whose frontend could not be deleted goes with the next change", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  const web = serviceAt("web", "10.96.0.1");
  writer.sync({ upsert: [web], remove: [] });
  {
    using _broken = failing(maps.frontends, "delete");
    expect(() => writer.apply({ upsert: [], remove: [web.key] })).toThrow("frontends: ENOMEM");
  }
  expect(violations(maps, writer)).toEqual([]);
  const report = writer.apply({ upsert: [serviceAt("api", "10.96.0.2")], remove: [] });
  expect(report).toMatchObject({ servicesRemoved: 1, frontendsRemoved: 1 });
  expect(frontends(maps)).toEqual(["10.96.0.2"]);
  expect(violations(maps, writer)).toEqual([]);
});

test("a frontend that could not move to another service moves with the retry, and never points nowhere", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  const old = serviceAt("old", "10.96.0.1");
  writer.sync({ upsert: [old], remove: [] });
  const heir = serviceAt("heir", "10.96.0.1");
  {
    using _broken = failing(maps.frontends, "update");
    expect(() => writer.apply({ upsert: [heir], remove: [old.key] })).toThrow("frontends: ENOMEM");
  }
  expect([frontends(maps), violations(maps, writer)]).toEqual([["10.96.0.1"], []]);
  expect(writer.retry()).toMatchObject({ servicesRemoved: 1, frontendsWritten: 1, frontendsRemoved: 0 });
  expect([frontends(maps), violations(maps, writer)]).toEqual([["10.96.0.1"], []]);
});

test("what failed and is removed since is not tried again", () => {
  const maps = memoryMaps();
  const writer = writerOver(maps);
  writer.sync({ upsert: [], remove: [] });
  const web = serviceAt("web", "10.96.0.1");
  {
    using _broken = failing(maps.frontends, "update");
    expect(() => writer.apply({ upsert: [web], remove: [] })).toThrow("frontends: ENOMEM");
  }
  writer.apply({ upsert: [], remove: [web.key] });
  expect(writer.retry().servicesWritten).toBe(0);
  expect([frontends(maps), writer.pending.size, violations(maps, writer)]).toEqual([[], 0, []]);
});
