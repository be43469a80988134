// SPDX-License-Identifier: Apache-2.0
// Source ranges that find no room, or are lifted from a frontend that goes: at no moment does it serve whom it must not
// (row 44 of the behaviour contract).

import { expect, test } from "vitest";
import type { CompiledService, SourceFilter } from "../../../src/compile/state.ts";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import { readWord } from "../../../src/datapath/ebpf/words.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import type { WriterOptions } from "../../../src/datapath/ebpf/writer-options.ts";
import { type Ip, parseCidr } from "../../../src/model/ip.ts";
import { clusterIp, type MemoryMaps, member, memoryMaps, service } from "./memory-maps.ts";

function admitting(...ranges: readonly string[]): SourceFilter {
  const rules = ranges.map((text) => {
    const range = parseCidr(text);
    if (!range) throw new Error(`${text} is no range`);
    return { range, admit: true };
  });
  return { kinds: ["LoadBalancer"], rules };
}

const VIP = { kind: "LoadBalancer", address: "198.51.100.1" as Ip, port: 80 } as const;
const cluster = [member("10.0.0.1")];
const web = service("web", { frontends: [clusterIp("10.96.0.1"), VIP], cluster });
const one = admitting("203.0.113.0/24");

/** What the block in force of service 1 says of clients of its load balancer addresses. */
function verdict(writer: MapWriter, id = 1): string {
  const { cells } = writer.stores;
  const { row } = readWord(cells.services, id);
  const { sourceKinds, sourceSet } = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  if (sourceKinds === 0) return "everybody";
  return sourceSet === 0 ? "nobody" : `set ${sourceSet}`;
}

function writerOver(maps: MemoryMaps, options: Partial<WriterOptions> = {}): MapWriter {
  const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: () => {}, ...options });
  writer.adopt();
  writer.sync({ upsert: [], remove: [] });
  return writer;
}

function refusal(change: () => unknown): string {
  try {
    change();
  } catch (error) {
    return String(error);
  }
  throw new Error("nothing was refused");
}

test("row 44: a Service whose first ranges find no room serves nobody where they hold, until there is", async () => {
  const maps = memoryMaps({ sourceRanges: 2 });
  const errors: string[] = [];
  using writer = writerOver(maps, { onError: (error: unknown) => void errors.push(String(error)) });
  const apply = (...upsert: CompiledService[]) => writer.apply({ upsert, remove: [] });
  const other = service("other", {
    frontends: [clusterIp("10.96.0.2")],
    sources: admitting("192.0.2.0/25", "192.0.2.128/25"),
  });
  apply(web);
  apply(other);
  expect(verdict(writer)).toBe("everybody");
  const closed = { ...web, sources: one };
  apply(closed);
  expect(verdict(writer)).toBe("nobody");
  await writer.drained();
  expect(errors).toEqual([expect.stringMatching(/source_ranges.*default\/web.*LoadBalancer addresses serve nobody/)]);
  expect([...writer.unserved]).toEqual([web.key]);
  expect(checkInvariants(writer.stores.cells, maps, writer.stores)).toEqual([]);
  const { row } = readWord(writer.stores.cells.services, 1);
  expect(refusal(() => writer.retry())).toMatch(/source_ranges/);
  expect(readWord(writer.stores.cells.services, 1).row).toBe(row); // nothing new is written for want of room
  writer.apply({ upsert: [], remove: [other.key] });
  await writer.drained();
  expect(verdict(writer)).toMatch(/^set \d+$/);
  expect(writer.unserved.size).toBe(0);
});

test("row 44: one that has ranges keeps them when others find no room", () => {
  using writer = writerOver(memoryMaps({ sourceRanges: 1 }));
  writer.apply({ upsert: [{ ...web, sources: one }], remove: [] });
  const before = verdict(writer);
  expect(before).toMatch(/^set \d+$/);
  const more = { ...web, sources: admitting("192.0.2.0/25", "192.0.2.128/25") };
  expect(refusal(() => writer.apply({ upsert: [more], remove: [] }))).toMatch(/source_ranges/);
  expect(verdict(writer)).toBe(before);
});

test.each([
  ["goes", []],
  ["moves to another Service", [service("api", { frontends: [clusterIp("10.96.0.3"), VIP], cluster, sources: one })]],
])("row 44: an address that %s while its ranges are lifted is never open", (_, others) => {
  const maps = memoryMaps();
  const seen = new Set<string>();
  let writer: MapWriter | undefined;
  /** After each write: whom the address serves. */
  const look = () => {
    for (const [key, value] of writer ? maps.frontends.entries() : []) {
      const { service: id, kind } = decode(abi.frontend, value);
      if (decode(abi.frontendKey, key).port === VIP.port && kind === abi.FrontendKind.FRONTEND_LOAD_BALANCER && writer)
        seen.add(verdict(writer, id).replace(/\d+/, "N"));
    }
  };
  maps.frontends.onWrite = look;
  const first = writerOver(maps, { onWrite: look });
  first.apply({ upsert: [{ ...web, sources: one }], remove: [] });
  writer = first;
  look();
  writer.apply({ upsert: [{ ...web, frontends: [clusterIp("10.96.0.1")] }, ...others], remove: [] });
  expect(verdict(writer)).toBe("everybody");
  expect([...seen]).toEqual(["set N"]);
  writer[Symbol.dispose]();
});

const NEXT = { ...VIP, address: "198.51.100.2" as Ip };
const owner = service("owner", { frontends: [clusterIp("10.96.0.4"), NEXT], cluster });

test.each([
  [
    "of a Service that goes on",
    { upsert: [service("owner", { frontends: [clusterIp("10.96.0.4")], cluster })], remove: [] },
  ],
  ["of a Service that is deleted", { upsert: [], remove: [owner.key] }],
])(
  "row 44: an address %s passes without a gap to one that gives up another, and its ranges",
  (_, { upsert, remove }) => {
    const maps = memoryMaps();
    let watching = false;
    let gaps = 0;
    const look = () => {
      const there = [...maps.frontends.entries()].some(([key]) => isNext(key));
      if (watching && !there) gaps++;
    };
    maps.frontends.onWrite = look;
    using writer = writerOver(maps, { onWrite: look });
    writer.apply({ upsert: [{ ...web, sources: one }, owner], remove: [] });
    watching = true;
    look();
    const moved = writer.apply({
      upsert: [{ ...web, frontends: [clusterIp("10.96.0.1"), NEXT] }, ...upsert],
      remove,
    });
    expect(gaps).toBe(0);
    const [[, value] = []] = [...maps.frontends.entries()].filter(([key]) => isNext(key));
    expect(value && decode(abi.frontend, value)).toMatchObject({ service: 1 });
    expect(moved.frontendsWritten).toBe(1);
    expect(writer.pending.size).toBe(0);
  },
);

function isNext(key: Uint8Array): boolean {
  const { addr, port } = decode(abi.frontendKey, key);
  return port === NEXT.port && Buffer.from(addr.subarray(12)).equals(Buffer.from([198, 51, 100, 2]));
}
