// SPDX-License-Identifier: Apache-2.0
// Session affinity as the map writer puts it into blocks: timeout, and since which word of the service it counts.

import { expect, test } from "vitest";
import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { readWord } from "../../../src/datapath/ebpf/words.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { type MemoryMaps, member, memoryMaps, service } from "./memory-maps.ts";

const web = service("web", { cluster: [member("10.0.0.1"), member("10.0.0.2")] });
const sticky: CompiledService = { ...web, affinitySeconds: 10800 };

function writerOver(maps: MemoryMaps): MapWriter {
  const fail = (error: unknown) => {
    throw error;
  };
  const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: fail });
  writer.adopt();
  return writer;
}

function publish(writer: MapWriter, ...services: readonly CompiledService[]) {
  return writer.apply({ upsert: services, remove: [] });
}

/** Of the block in force. */
function affinityOf(writer: MapWriter, id = 1) {
  const { services, members } = writer.stores.cells;
  const { row, epoch } = readWord(services, id);
  const { affinityTimeout, affinityEpoch } = abi.blockHeader.read(members.view, members.offset(row));
  return { word: epoch, affinityTimeout, affinityEpoch };
}

test("row 51: it begins with the word that publishes it, and goes on over other changes", () => {
  const writer = writerOver(memoryMaps());
  writer.sync({ upsert: [web], remove: [] });
  expect(affinityOf(writer)).toEqual({ word: 1, affinityTimeout: 0, affinityEpoch: 0 });
  publish(writer, sticky);
  expect(affinityOf(writer)).toEqual({ word: 2, affinityTimeout: 10800, affinityEpoch: 2 });
  publish(writer, { ...sticky, cluster: [member("10.0.0.1")] });
  expect(affinityOf(writer)).toEqual({ word: 3, affinityTimeout: 10800, affinityEpoch: 2 });
  publish(writer, { ...sticky, affinitySeconds: 60 });
  expect(affinityOf(writer)).toEqual({ word: 4, affinityTimeout: 60, affinityEpoch: 2 });
  publish(writer, web);
  expect(affinityOf(writer)).toEqual({ word: 5, affinityTimeout: 0, affinityEpoch: 0 });
  publish(writer, sticky);
  expect(affinityOf(writer)).toEqual({ word: 6, affinityTimeout: 10800, affinityEpoch: 6 });
});

test("row 51: a Service that comes by the id of another begins its own", async () => {
  const writer = writerOver(memoryMaps({ services: 2 }));
  writer.sync({ upsert: [sticky], remove: [] });
  expect(affinityOf(writer)).toEqual({ word: 1, affinityTimeout: 10800, affinityEpoch: 1 });
  writer.apply({ upsert: [], remove: [sticky.key] });
  await writer.drained();
  publish(writer, { ...sticky, key: "default/other:/TCP/IPv4" as ServiceKey, name: "other" });
  expect(affinityOf(writer)).toEqual({ word: 3, affinityTimeout: 10800, affinityEpoch: 3 });
});

test("row 51: the next agent keeps it, and writes nothing", () => {
  const maps = memoryMaps();
  writerOver(maps).sync({ upsert: [web], remove: [] });
  const first = writerOver(maps);
  first.sync({ upsert: [sticky], remove: [] });
  const second = writerOver(maps);
  expect(second.sync({ upsert: [sticky], remove: [] })).toMatchObject({ servicesWritten: 0 });
  expect(affinityOf(second)).toEqual({ word: 2, affinityTimeout: 10800, affinityEpoch: 2 });
});
