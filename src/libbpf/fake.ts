// SPDX-License-Identifier: Apache-2.0
// BpfMap and LoadedBpfObject in memory, for unit tests: same sizes, same errors, no kernel. Hash, LRU hash and array
// maps and their per-CPU kinds; arrays can be "mmapped".

import { BpfError } from "./errors.ts";
import type { BpfLink, BpfMap, BpfProgram, CgroupAttachType, LoadedBpfObject, MapSpec, TcDirection } from "./types.ts";

const LRU_TYPES: ReadonlySet<number> = new Set([9, 10]);
const ARRAY_TYPES: ReadonlySet<number> = new Set([2, 6]);
const PER_CPU_TYPES: ReadonlySet<number> = new Set([5, 6, 10]);
const MMAPABLE = 1 << 10; /* BPF_F_MMAPABLE */
const NOEXIST = 1;
const EXIST = 2;
/** negative, as the kernel's */
const ERRNO = { ENOENT: -2, E2BIG: -7, EEXIST: -17, EINVAL: -22, EBADF: -9 } as const;

let lastId = 0;

function roundUp8(size: number): number {
  return Math.ceil(size / 8) * 8;
}

/** cpus: how many values a per-CPU map has. */
export class FakeMap implements BpfMap {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly id: number = ++lastId;
  readonly fd: number = -1;
  readonly pins: string[] = [];
  /** Syscalls that would have been made: lookups, updates, deletes, batches. */
  calls = 0;
  readonly #flags: number;
  readonly #userValueSize: number;
  readonly #hash = new Map<string, readonly [Uint8Array, Uint8Array]>();
  readonly #memory: ArrayBuffer | undefined;
  #closed = false;

  constructor(spec: MapSpec, cpus = 2) {
    this.name = spec.name;
    this.type = spec.type;
    this.keySize = spec.keySize;
    this.valueSize = spec.valueSize;
    this.maxEntries = spec.maxEntries;
    this.#flags = spec.flags ?? 0;
    this.#userValueSize = PER_CPU_TYPES.has(spec.type) ? roundUp8(spec.valueSize) * cpus : spec.valueSize;
    if (ARRAY_TYPES.has(spec.type)) this.#memory = new ArrayBuffer(this.#stride() * spec.maxEntries);
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    this.#check("LOOKUP_ELEM", key, undefined);
    if (this.#memory === undefined) return this.#hash.get(nameOf(key))?.[1].slice();
    return this.#element(this.#memory, indexOf(key))?.slice();
  }

  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    this.#check("UPDATE_ELEM", key, value);
    if (this.#memory === undefined) {
      this.#updateHash(key, value, flags);
      return;
    }
    const cell = this.#element(this.#memory, indexOf(key));
    if (cell === undefined) this.#fail("UPDATE_ELEM", "E2BIG");
    if (flags === NOEXIST) this.#fail("UPDATE_ELEM", "EEXIST");
    cell.set(value);
  }

  delete(key: Uint8Array): boolean {
    this.#check("DELETE_ELEM", key, undefined);
    if (this.#memory !== undefined) this.#fail("DELETE_ELEM", "EINVAL");
    return this.#hash.delete(nameOf(key));
  }

  *entries(): IterableIterator<readonly [Uint8Array, Uint8Array]> {
    this.#check("LOOKUP_BATCH", undefined, undefined);
    if (this.#memory === undefined) {
      for (const [key, value] of [...this.#hash.values()]) yield [key.slice(), value.slice()];
      return;
    }
    for (let index = 0; index < this.maxEntries; index++) {
      const cell = this.#element(this.#memory, index);
      if (cell !== undefined) yield [new Uint8Array(Uint32Array.of(index).buffer), cell.slice()];
    }
  }

  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    const size = this.#userValueSize;
    for (let i = 0; i < count; i++) {
      this.update(slot(keys, i, this.keySize), slot(values, i, size));
    }
    this.calls -= Math.max(0, count - 1); /* one syscall */
    return count;
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    let deleted = 0;
    for (let i = 0; i < count; i++) {
      if (this.delete(slot(keys, i, this.keySize))) deleted++;
    }
    this.calls -= Math.max(0, count - 1);
    return deleted;
  }

  /** All of it, however many cells are asked for. */
  mmap(): ArrayBuffer {
    if (this.#memory === undefined || (this.#flags & MMAPABLE) === 0) this.#fail("MMAP", "EINVAL");
    return this.#memory;
  }

  /** It is all there is of the map. */
  unmap(): void {}

  pin(path: string): void {
    if (this.pins.includes(path)) this.#fail("OBJ_PIN", "EEXIST");
    this.pins.push(path);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
  }

  #stride(): number {
    return roundUp8(this.#userValueSize);
  }

  #element(memory: ArrayBuffer, index: number): Uint8Array | undefined {
    if (index >= this.maxEntries) return undefined;
    return new Uint8Array(memory, index * this.#stride(), this.#userValueSize);
  }

  #updateHash(key: Uint8Array, value: Uint8Array, flags: number): void {
    const name = nameOf(key);
    const there = this.#hash.has(name);
    if (there && flags === NOEXIST) this.#fail("UPDATE_ELEM", "EEXIST");
    if (!there && flags === EXIST) this.#fail("UPDATE_ELEM", "ENOENT");
    if (!there && this.#hash.size >= this.maxEntries) this.#makeRoom();
    this.#hash.set(name, [key.slice(), value.slice()]);
  }

  #makeRoom(): void {
    const oldest = this.#hash.keys().next().value;
    if (!LRU_TYPES.has(this.type) || oldest === undefined) this.#fail("UPDATE_ELEM", "E2BIG");
    this.#hash.delete(oldest);
  }

  #check(operation: string, key: Uint8Array | undefined, value: Uint8Array | undefined): void {
    this.calls++;
    if (this.#closed) this.#fail(operation, "EBADF");
    if (key !== undefined && key.length !== this.keySize) this.#fail(operation, "EINVAL");
    if (value !== undefined && value.length !== this.#userValueSize) this.#fail(operation, "EINVAL");
  }

  #fail(operation: string, code: keyof typeof ERRNO): never {
    throw new BpfError({ syscall: `bpf(BPF_MAP_${operation})`, errno: ERRNO[code], object: this.name, hint: "fake" });
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

function indexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
}

function slot(bytes: Uint8Array, index: number, size: number): Uint8Array {
  return bytes.subarray(index * size, (index + 1) * size);
}

/** Remembers what it was attached to; runs nothing. */
export class FakeProgram implements BpfProgram {
  readonly name: string;
  readonly id: number = ++lastId;
  readonly fd: number = -1;
  /** "tcx/ingress of 4", "cgroup/connect4 of /sys/fs/cgroup/x", "clsact/egress of 4" */
  readonly attachments: Set<string> = new Set();

  constructor(name: string) {
    this.name = name;
  }

  testRun(): never {
    throw new BpfError({ syscall: "bpf(BPF_PROG_TEST_RUN)", errno: ERRNO.EINVAL, object: this.name, hint: "fake" });
  }

  attachTcx(ifindex: number, direction: TcDirection): BpfLink {
    return new FakeLink(this, `tcx/${direction} of ${ifindex}`);
  }

  attachTc(ifindex: number, direction: TcDirection): void {
    this.attachments.add(`clsact/${direction} of ${ifindex}`);
  }

  attachXdp(ifindex: number): BpfLink {
    return new FakeLink(this, `xdp of ${ifindex}`);
  }

  attachCgroup(cgroupPath: string, type: CgroupAttachType): BpfLink {
    return new FakeLink(this, `cgroup/${type} of ${cgroupPath}`);
  }

  iterate(): never {
    throw new BpfError({ syscall: "bpf(BPF_ITER_CREATE)", errno: ERRNO.EINVAL, object: this.name, hint: "fake" });
  }

  pin(): void {}

  [Symbol.dispose](): void {}
}

class FakeLink implements BpfLink {
  readonly id: number = ++lastId;
  readonly fd: number = -1;
  readonly #where: string;
  #program: FakeProgram;
  #pinned = false;

  constructor(program: FakeProgram, where: string) {
    this.#program = program;
    this.#where = where;
    program.attachments.add(where);
  }

  update(program: BpfProgram): void {
    if (!(program instanceof FakeProgram)) throw new TypeError(`program ${program.name} is not a fake`);
    this.detach();
    this.#program = program;
    program.attachments.add(this.#where);
  }

  pin(): void {
    this.#pinned = true;
  }

  detach(): void {
    this.#program.attachments.delete(this.#where);
  }

  [Symbol.dispose](): void {
    if (!this.#pinned) this.detach();
  }
}

/** A loaded object of these maps and programs; others are ENOENT. */
export function fakeObject(maps: readonly FakeMap[], programs: readonly string[]): LoadedBpfObject {
  const mapsByName = new Map(maps.map((map) => [map.name, map]));
  const programsByName = new Map(programs.map((name) => [name, new FakeProgram(name)]));
  const missing = (what: string, name: string): never => {
    throw new BpfError({ syscall: what, errno: ERRNO.ENOENT, object: name, hint: `no such ${what} was loaded` });
  };
  return {
    map: (name) => mapsByName.get(name) ?? missing("map", name),
    program: (name) => programsByName.get(name) ?? missing("program", name),
    [Symbol.dispose]: () => {
      for (const map of maps) map[Symbol.dispose]();
    },
  };
}
