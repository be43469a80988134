// SPDX-License-Identifier: Apache-2.0
// The invariant checker sees each kind of damage, and names the cell.

import { beforeEach, describe, expect, it } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import type { Cells, Stores } from "../../../src/datapath/ebpf/stores.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { ip } from "../../support/compiled.ts";
import { clusterIp, type MemoryMaps, member, memoryMaps, nodePort, service } from "./memory-maps.ts";

/** Offset of the count of the cluster set in a header. */
const CLUSTER = abi.blockHeaderOffset.cluster;

let maps: MemoryMaps;
let stores: Stores;
let cells: Cells;

beforeEach(() => {
  maps = memoryMaps();
  const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: () => {} });
  const frontends = [clusterIp("10.96.0.1"), nodePort(30080)];
  const rules = ["192.0.2.0", "192.0.3.0"].map((text) => ({
    range: { address: ip(text), prefixLength: 24 },
    admit: true,
  }));
  const sources = { kinds: ["NodePort"] as const, rules };
  const web = service("web", {
    type: "NodePort",
    frontends,
    cluster: [member("10.0.0.1"), member("10.0.0.2")],
    sources,
  });
  writer.sync({ upsert: [web], remove: [] });
  stores = writer.stores;
  cells = stores.cells;
});

const word = (id: number, row: number) => cells.services.view.setUint32(cells.services.offset(id), row, true);
const header = (offset: number, value: number) =>
  cells.members.view.setUint32(cells.members.offset(2) + offset, value, true);

const DAMAGE: readonly (readonly [string, () => void, string, number | string, string])[] = [
  ["a word beyond the map", () => word(1, 256), "services", 1, "names row 256, which is out of bounds"],
  ["a word to an empty row", () => word(1, 9), "members", 9, "is of service 0, not 1"],
  ["a block beyond the map", () => header(4, 999), "members", 2, "has 999 rows, which is out of bounds"],
  ["a set beyond its block", () => header(CLUSTER, 17), "members", 2, "has a set of 17 at row 1 of 2"],
  ["a dead backend", () => cells.backends.clear(2), "members", 2, "names backend 2 as member 1, which is not live"],
  [
    "ids beside the sets beyond the block",
    () => {
      header(abi.blockHeaderOffset.servingCount, 3);
    },
    "members",
    2,
    "has a set of 3 at row 2 of 2",
  ],
  [
    "a backend without a port",
    () => cells.backends.view.setUint16(cells.backends.offset(1) + abi.backendOffset.port, 0),
    "members",
    2,
    "names backend 1 as member 0, which has no port",
  ],
  [
    "a slot beyond the set",
    () => cells.tables.view.setUint16(cells.tables.offset(16) + 4, 2, true),
    "tables",
    16,
    "slot 2 names member 2 of 2",
  ],
  [
    "a table beyond the map",
    () => header(CLUSTER + 8, 1020),
    "members",
    2,
    "has a table of 251 slots at row 1020: out of bounds",
  ],
  [
    "a frontend of no service",
    () => word(1, 0),
    "frontends",
    "00000000000000000000ffff0a60000100500600",
    "names service 1, which has no block",
  ],
  [
    "a live block in the free list",
    () => stores.blocks.rows.release(2, 2),
    "members",
    3,
    "belongs to service 1 but is free",
  ],
  [
    "a live backend in the free list",
    () => stores.backends.pool.release(1),
    "members",
    2,
    "names backend 1 as member 0, which is free",
  ],
  [
    "a live table in the free list",
    () => stores.blocks.tableRows.release(16, 1),
    "tables",
    16,
    "belongs to the block at row 2 but is free",
  ],
  [
    "a source set that is not there",
    () => header(abi.blockHeaderOffset.sourceSet, 7),
    "members",
    2,
    "names source set 7, of which 0 of 0 are there",
  ],
  [
    "half a source set",
    () => {
      const [[key = new Uint8Array()] = []] = maps.source_ranges.entries();
      maps.source_ranges.delete(key);
    },
    "members",
    2,
    "names source set 1, of which 1 of 2 are there",
  ],
  [
    "a live source set in the free list",
    () => stores.sources.pool.release(1),
    "members",
    2,
    "names source set 1, which is free",
  ],
  [
    "a live id in the free list",
    () => stores.serviceIds.release(1),
    "services",
    1,
    "has a block in force but its id is free",
  ],
];

describe("the invariant checker", () => {
  it("finds nothing in maps that are well", () => {
    expect(checkInvariants(cells, maps, stores)).toEqual([]);
  });

  it.each(DAMAGE)("sees %s", (_, damage, map, cell, problem) => {
    damage();
    expect(checkInvariants(cells, maps, stores)).toContainEqual({ map, cell, problem });
  });
});
