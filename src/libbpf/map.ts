// SPDX-License-Identifier: Apache-2.0
// BpfMap over the addon.

import { addon, type NativeMap } from "./native.ts";
import type { BpfMap, MapSpec } from "./types.ts";

/** Elements per syscall of a walk: 64 KiB for values of 64 bytes. */
const CHUNK = 1024;

export class KernelMap implements BpfMap {
  readonly handle: NativeMap;
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly id: number;
  readonly fd: number;
  /** Reused: native code would give each small array of the caller's a buffer outside the heap, which costs more than the syscall. */
  readonly #key: Uint8Array;
  readonly #value: Uint8Array;

  constructor(handle: NativeMap) {
    const info = handle.info();
    this.handle = handle;
    this.name = info.name;
    this.type = info.type;
    this.keySize = info.keySize;
    this.valueSize = info.valueSize;
    this.maxEntries = info.maxEntries;
    this.id = info.id;
    this.fd = info.fd;
    this.#key = new Uint8Array(info.keySize);
    this.#value = new Uint8Array(info.userValueSize);
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.handle.lookup(copied(key, this.#key), this.#value) ? this.#value.slice() : undefined;
  }

  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    this.handle.update(copied(key, this.#key), copied(value, this.#value), flags);
  }

  delete(key: Uint8Array): boolean {
    return this.handle.delete(copied(key, this.#key));
  }

  *entries(): IterableIterator<readonly [Uint8Array, Uint8Array]> {
    let cursor: Uint8Array | undefined;
    do {
      const chunk = this.handle.readChunk(cursor, CHUNK);
      const valueSize = chunk.count === 0 ? 0 : chunk.values.length / chunk.count;
      for (let i = 0; i < chunk.count; i++) {
        const key = chunk.keys.subarray(i * this.keySize, (i + 1) * this.keySize);
        yield [key, chunk.values.subarray(i * valueSize, (i + 1) * valueSize)];
      }
      cursor = chunk.cursor;
    } while (cursor !== undefined);
  }

  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    return this.handle.updateBatch(keys, values, count);
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    return this.handle.deleteBatch(keys, count);
  }

  mmap(cells?: number): ArrayBuffer {
    return this.handle.mmap(cells);
  }

  unmap(memory: ArrayBuffer): void {
    this.handle.unmap(memory);
  }

  pin(path: string): void {
    this.handle.pin(path);
  }

  [Symbol.dispose](): void {
    this.handle.close();
  }
}

/** scratch with the bytes; bytes themselves when they do not fit, for native code to refuse. */
function copied(bytes: Uint8Array, scratch: Uint8Array): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length !== scratch.length) return bytes;
  scratch.set(bytes);
  return scratch;
}

/** The addon's handle of a map that came from the kernel; the fake has none. */
export function handleOf(map: BpfMap): NativeMap {
  if (map instanceof KernelMap) return map.handle;
  throw new TypeError(`map ${map.name} is not a kernel map`);
}

/** Creates an anonymous map; it lives as long as a handle, a pin or a program that uses it. */
export function createMap(spec: MapSpec): BpfMap {
  const { name, type, keySize, valueSize, maxEntries, flags = 0, innerMap } = spec;
  const inner = innerMap === undefined ? undefined : handleOf(innerMap);
  return new KernelMap(addon().createMap(name, type, keySize, valueSize, maxEntries, flags, inner));
}

/** Opens a map by its pin in a bpffs. Throws BpfError: ENOENT when nothing is there, EINVAL when it is no map. */
export function openPinnedMap(path: string): BpfMap {
  return new KernelMap(addon().openPinnedMap(path));
}
