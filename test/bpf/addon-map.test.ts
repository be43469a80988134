// SPDX-License-Identifier: Apache-2.0
// Maps of the real kernel through the addon: the claims that the fake fulfils too, and what only a kernel has.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { BpfError, createMap, openPinnedLink, openPinnedMap, possibleCpus, rcuSync } from "../../src/libbpf/index.ts";
import { bpffs } from "../support/bpffs.ts";
import { describeMap } from "../support/map-claims.ts";

const HASH = 1;
const LPM_TRIE = 11;
const DEVMAP_HASH = 25;
const NO_PREALLOC = 1;
const u32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);

describeMap("KernelMap", createMap, possibleCpus());

const pins = bpffs();
afterAll(() => pins[Symbol.dispose]());

test("a walk sees each of 100 000 entries once", () => {
  using map = createMap({ name: "big", type: HASH, keySize: 4, valueSize: 4, maxEntries: 100_000 });
  const keys = Uint32Array.from({ length: 100_000 }, (_, i) => i);
  const bytes = new Uint8Array(keys.buffer);
  expect(map.updateBatch(bytes, bytes, 100_000)).toBe(100_000);
  const seen = new Set<number>();
  for (const [key, value] of map.entries()) {
    const number = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
    if (new DataView(value.buffer, value.byteOffset).getUint32(0, true) === number) seen.add(number);
  }
  expect(seen.size).toBe(100_000);
});

test("a map type without batches falls back to single operations", () => {
  using map = createMap({ name: "devmap", type: DEVMAP_HASH, keySize: 4, valueSize: 4, maxEntries: 8 });
  const keys = Uint8Array.from([...u32(5), ...u32(6)]);
  const loopback = u32(1); /* ifindex */
  for (let round = 0; round < 2; round++) {
    expect(map.updateBatch(keys, Uint8Array.from([...loopback, ...loopback]), 2)).toBe(2);
    expect([...map.entries()].map(([key]) => key[0]).sort()).toEqual([5, 6]);
    expect(map.deleteBatch(keys, 2)).toBe(2);
  }
});

test("a longest-prefix trie takes batches and walks", () => {
  using map = createMap({ name: "lpm", type: LPM_TRIE, keySize: 8, valueSize: 4, maxEntries: 8, flags: NO_PREALLOC });
  const keys = Uint8Array.from([...u32(32), 10, 0, 0, 1, ...u32(24), 10, 0, 1, 0]);
  expect(map.updateBatch(keys, Uint8Array.from([...u32(1), ...u32(2)]), 2)).toBe(2);
  expect([...map.entries()]).toHaveLength(2);
  expect(map.deleteBatch(keys, 2)).toBe(2);
});

test("a part of a map can be mapped, and no more than the map", () => {
  using map = createMap({ name: "cells", type: 2, keySize: 4, valueSize: 8, maxEntries: 1024, flags: 1 << 10 });
  new BigUint64Array(map.mmap())[511] = 77n;
  const part = map.mmap(512);
  expect([part.byteLength, new BigUint64Array(part)[511]]).toEqual([4096, 77n]);
  expect(() => map.mmap(1025)).toThrow("EINVAL");
});

test("memory that is given back is gone at once, for whoever looks at it, and the rest of the map's is not", () => {
  using map = createMap({ name: "cells", type: 2, keySize: 4, valueSize: 8, maxEntries: 4096, flags: 1 << 10 });
  const mapped = () => readFileSync("/proc/self/maps", "utf8").match(/anon_inode:bpf-map$/gm)?.length ?? 0;
  const before = mapped();
  const [whole, part] = [map.mmap(), map.mmap(512)];
  const cells = new BigUint64Array(whole);
  expect(mapped()).toBe(before + 2);
  map.unmap(whole);
  expect([mapped(), whole.byteLength, cells[1]]).toEqual([before + 1, 0, undefined]);
  new BigUint64Array(part)[1] = 77n;
  expect(map.lookup(u32(1))?.[0]).toBe(77);
  expect(() => map.unmap(whole)).toThrow("not its memory");
  expect(() => map.unmap(new ArrayBuffer(4096))).toThrow("not its memory");
});

test("a pinned map is found again by its path, with the same memory", () => {
  using map = createMap({ name: "cells", type: 2, keySize: 4, valueSize: 8, maxEntries: 2, flags: 1 << 10 });
  map.pin(`${pins.path}/cells`);
  using again = openPinnedMap(`${pins.path}/cells`);
  new BigUint64Array(map.mmap())[1] = 77n;
  expect(new BigUint64Array(again.mmap())[1]).toBe(77n);
  expect(again).toMatchObject({ id: map.id, name: "cells", keySize: 4, valueSize: 8, maxEntries: 2 });
  expect(() => map.pin(`${pins.path}/cells`)).toThrow("something is pinned there already");
});

describe("a pin that is not what was asked for", () => {
  test("nothing there: ENOENT with the path", () => {
    expect(() => openPinnedMap(`${pins.path}/none`)).toThrow(`${pins.path}/none: ENOENT: nothing is pinned there`);
  });
  test("a map where a link is expected is refused", () => {
    using map = createMap({ name: "m", type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    map.pin(`${pins.path}/m`);
    expect(() => openPinnedLink(`${pins.path}/m`)).toThrow("EINVAL: expected bpf-link, found bpf-map");
  });
  test("a directory that is no bpffs is named", () => {
    using map = createMap({ name: "m", type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    expect(() => map.pin("/tmp/pt-not-bpffs")).toThrow(/map m at \/tmp\/pt-not-bpffs: E\w+: .*bpffs/);
  });
});

test("rcuSync settles, many at once too", async () => {
  await Promise.all(Array.from({ length: 8 }, () => rcuSync()));
});

test("arguments of a wrong type are a TypeError, not a crash", () => {
  using map = createMap({ name: "m", type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
  const wrong = map as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const args of [[], [1], ["x"], [new Float64Array(1)], [u32(1), null], [u32(1), u32(1), -1]]) {
    expect(() => wrong.update?.(...args)).toThrow(TypeError);
  }
  expect(() => createMap({ name: "m", type: 999, keySize: 4, valueSize: 4, maxEntries: 1 })).toThrow(BpfError);
});

test("disposed handles leave no descriptor behind", () => {
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let i = 0; i < 50; i++) {
    using map = createMap({ name: "m", type: HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
    map.update(u32(1), u32(2));
    using again = openPinnedMap(`${pins.path}/cells`);
    again.lookup(u32(0));
  }
  expect(descriptors()).toBe(before);
});
