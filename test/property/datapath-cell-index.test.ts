// SPDX-License-Identifier: Apache-2.0
// The index of cells against a Map that knows the same.

import fc from "fast-check";
import { expect, test } from "vitest";
import { CellIndex } from "../../src/datapath/ebpf/cell-index.ts";
import { MappedArray } from "../../src/datapath/ebpf/mapped-array.ts";
import { MemoryMap } from "../unit/datapath/memory-maps.ts";

const CELLS = 1000;

test("after any additions and removals the index finds what a Map finds", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: CELLS - 1 }), { maxLength: 2000, size: "max" }), (toggled) => {
      const cells = new MappedArray(new MemoryMap("backends", 4, 8, CELLS), 8);
      const index = new CellIndex(cells);
      const known = new Map<number, bigint>();
      for (const id of toggled) {
        if (known.delete(id)) index.remove(id);
        else {
          const content = BigInt(id) << 33n;
          cells.store(id, content);
          known.set(id, content);
          index.add(id);
        }
      }
      const found = Array.from({ length: CELLS }, (_, id) => index.find(Int32Array.of(0, id << 1)));
      expect(found).toEqual(Array.from({ length: CELLS }, (_, id) => (known.has(id) ? id : undefined)));
    }),
    { numRuns: 200 },
  );
}, 60_000);

test("of two cells that say the same, either is found until both are removed", () => {
  const cells = new MappedArray(new MemoryMap("backends", 4, 8, 8), 8);
  const index = new CellIndex(cells);
  for (const id of [3, 5]) {
    cells.store(id, 7n);
    index.add(id);
  }
  const words = Int32Array.of(7, 0);
  expect(index.find(words)).toBe(3);
  index.remove(3);
  expect(index.find(words)).toBe(5);
  index.remove(5);
  index.remove(5);
  expect(index.find(words)).toBeUndefined();
});
