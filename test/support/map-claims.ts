// SPDX-License-Identifier: Apache-2.0
// What every BpfMap does, kernel or fake: one table of claims, run against both so that they cannot drift apart.

import { describe, expect, test } from "vitest";
import type { BpfMap, MapSpec } from "../../src/libbpf/index.ts";

const HASH = 1;
const ARRAY = 2;
const PERCPU_ARRAY = 6;
const MMAPABLE = 1 << 10;

const key = (n: number): Uint8Array => Uint8Array.of(n, 0, 0, 0);
const value = (n: number): Uint8Array => Uint8Array.of(n, 0, 0, 0, 0, 0, 0, 0);
const hash: MapSpec = { name: "h", type: HASH, keySize: 4, valueSize: 8, maxEntries: 4 };
const array: MapSpec = { name: "a", type: ARRAY, keySize: 4, valueSize: 8, maxEntries: 4, flags: MMAPABLE };

/** cpus: how many values a per-CPU map of open() has. */
export function describeMap(title: string, open: (spec: MapSpec) => BpfMap, cpus: number): void {
  describe(title, () => {
    test("an updated key is found, a deleted one is not", () => {
      using map = open(hash);
      map.update(key(1), value(7));
      expect(map.lookup(key(1))).toEqual(value(7));
      expect(map.delete(key(1))).toBe(true);
      expect(map.delete(key(1))).toBe(false);
      expect(map.lookup(key(1))).toBeUndefined();
    });

    test("NOEXIST refuses a key that is there, EXIST one that is not", () => {
      using map = open(hash);
      map.update(key(1), value(1), 1);
      expect(() => map.update(key(1), value(2), 1)).toThrow("BPF_MAP_UPDATE_ELEM) h: EEXIST");
      expect(() => map.update(key(2), value(2), 2)).toThrow("BPF_MAP_UPDATE_ELEM) h: ENOENT");
      expect(map.lookup(key(1))).toEqual(value(1));
    });

    test("a full hash refuses new keys and still takes known ones", () => {
      using map = open(hash);
      for (const n of [1, 2, 3, 4]) map.update(key(n), value(n));
      expect(() => map.update(key(5), value(5))).toThrow("h: E2BIG");
      map.update(key(4), value(9));
      expect(map.lookup(key(4))).toEqual(value(9));
    });

    test("keys and values of a wrong size are refused before the kernel sees them", () => {
      using map = open(hash);
      expect(() => map.lookup(new Uint8Array(3))).toThrow("h: EINVAL");
      expect(() => map.update(key(1), new Uint8Array(9))).toThrow("h: EINVAL");
    });

    test("entries lists what is there", () => {
      using map = open(hash);
      expect([...map.entries()]).toEqual([]);
      for (const n of [3, 1, 2]) map.update(key(n), value(n));
      const found = [...map.entries()].map(([k, v]) => [k[0], v[0]]);
      expect(found.sort()).toEqual([
        [1, 1],
        [2, 2],
        [3, 3],
      ]);
    });

    test("a batch of updates and deletes counts what it did", () => {
      using map = open(hash);
      const keys = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0);
      expect(map.updateBatch(keys, Uint8Array.from([...value(1), ...value(2), ...value(3)]), 3)).toBe(3);
      expect(map.lookup(key(2))).toEqual(value(2));
      expect(map.delete(key(2))).toBe(true);
      expect(map.deleteBatch(keys, 3)).toBe(2);
      expect([...map.entries()]).toEqual([]);
      expect(map.updateBatch(new Uint8Array(0), new Uint8Array(0), 0)).toBe(0);
    });

    test("array elements are always there, beyond the end there is nothing", () => {
      using map = open(array);
      expect(map.lookup(key(3))).toEqual(value(0));
      expect(map.lookup(key(4))).toBeUndefined();
      expect(() => map.update(key(4), value(1))).toThrow("a: E2BIG");
      expect(() => map.delete(key(1))).toThrow("a: EINVAL");
      expect([...map.entries()].map(([k]) => k[0])).toEqual([0, 1, 2, 3]);
    });

    test("mapped memory and syscalls see each other's writes", () => {
      using map = open(array);
      const words = new BigUint64Array(map.mmap());
      expect(words.length).toBe(4);
      words[2] = 5n;
      expect(map.lookup(key(2))).toEqual(value(5));
      map.update(key(1), value(6));
      expect(words[1]).toBe(6n);
    });

    test("a hash has no memory to map", () => {
      using map = open(hash);
      expect(() => map.mmap()).toThrow();
    });

    test("a per-CPU value is all CPUs' values back to back", () => {
      using map = open({ name: "p", type: PERCPU_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
      const all = new Uint8Array(8 * cpus);
      all[0] = 1;
      all[8 * (cpus - 1)] = 2;
      map.update(key(0), all);
      expect(map.lookup(key(0))).toEqual(all);
    });

    test("a closed handle refuses with EBADF", () => {
      const map = open(hash);
      map[Symbol.dispose]();
      map[Symbol.dispose]();
      expect(() => map.lookup(key(1))).toThrow("h: EBADF");
    });
  });
}
