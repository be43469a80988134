// SPDX-License-Identifier: Apache-2.0
// How much of a map is mapped, and that what is written shows whatever part that is.

import { expect, test } from "vitest";
import { MappedArray } from "../../../src/datapath/ebpf/mapped-array.ts";
import { MemoryMap } from "./memory-maps.ts";

test("all of a map is mapped until it is fitted", () => {
  const cells = new MappedArray(new MemoryMap("backends", 4, 32, 1000), 32);
  expect(cells.view.byteLength).toBe(32_000);
});

test("a fitted map takes whole pages", () => {
  const cells = new MappedArray(new MemoryMap("backends", 4, 32, 1000), 32);
  cells.fit(129);
  expect(cells.view.byteLength).toBe(8192);
});

test("reaching beyond doubles what is mapped, up to the whole map", () => {
  const cells = new MappedArray(new MemoryMap("backends", 4, 32, 300), 32);
  cells.fit(1);
  const sizes = [128, 129, 257].map((reached) => {
    cells.reach(reached);
    return cells.view.byteLength;
  });
  expect(sizes).toEqual([4096, 8192, 9600]);
});

test("what was written stays where it is when more or less of the map is mapped", () => {
  const cells = new MappedArray(new MemoryMap("services", 4, 8, 2048), 8);
  cells.store(7, 0x0000_0001_0000_0002n);
  cells.fit(8);
  cells.reach(1024);
  expect(cells.view.getBigUint64(cells.offset(7), true)).toBe(0x0000_0001_0000_0002n);
});

test("leaks are found in the whole map", () => {
  const cells = new MappedArray(new MemoryMap("services", 4, 8, 2048), 8);
  cells.store(2000, 1n);
  cells.fit(1);
  expect([...cells.leaked(() => true)]).toEqual([[2000, 1]]);
});
