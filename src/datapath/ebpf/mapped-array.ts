// SPDX-License-Identifier: Apache-2.0
// One mmapped array map as cells of a fixed size. Every write ends in written(), so that tests can look after each one.
// What is mapped counts as the process's memory, used or not: a long-lived writer maps only as far as it uses the map.

import type { BpfMap } from "../../libbpf/types.ts";

/** Called after a cell or an entry of a map changed. */
export type WriteHook = (map: string, cell: number) => void;

const PAGE = 4096;

export class MappedArray {
  readonly name: string;
  /** cells, the unused cell 0 included */
  readonly length: number;
  /** bytes of one cell */
  readonly cellSize: number;
  readonly #map: BpfMap;
  #memory: Memory;
  readonly #hook: WriteHook | undefined;

  /** Throws Error when the map's cells are not of cellSize, which must be a multiple of 8. */
  constructor(map: BpfMap, cellSize: number, hook?: WriteHook) {
    if (map.valueSize !== cellSize || cellSize % 8 !== 0) {
      throw new Error(
        `map ${map.name} has values of ${map.valueSize} bytes, expected ${cellSize}: another ABI version`,
      );
    }
    this.name = map.name;
    this.length = map.maxEntries;
    this.cellSize = cellSize;
    this.#map = map;
    this.#memory = mapMemory(map, this.length);
    this.#hook = hook;
  }

  get view(): DataView {
    return this.#memory.view;
  }

  get bytes(): Buffer {
    return this.#memory.bytes;
  }

  /** The cells as 32-bit words. */
  get halfWords(): Int32Array {
    return this.#memory.halfWords;
  }

  /** Maps no more than the first cells need. From here on reach() goes before the first use of a cell beyond. */
  fit(cells: number): void {
    const perPage = Math.ceil(PAGE / this.cellSize);
    const before = this.#memory;
    this.#remap(Math.ceil(cells / perPage) * perPage);
    if (this.#memory !== before) this.#map.unmap(before.memory); // much, and the collector is in no hurry
  }

  /** Sees to it that the first cells are mapped. */
  reach(cells: number): void {
    if (cells > this.#memory.cells) this.#remap(Math.max(cells, 2 * this.#memory.cells));
  }

  /** The memory mapped until now is given back once no view of it is left. */
  #remap(cells: number): void {
    const wanted = Math.min(this.length, cells);
    if (wanted !== this.#memory.cells) this.#memory = mapMemory(this.#map, wanted);
  }

  /** Byte offset of a cell. */
  offset(cell: number): number {
    return cell * this.cellSize;
  }

  written(cell: number): void {
    this.#hook?.(this.name, cell);
  }

  /** One atomic 64-bit store to a cell of 8 bytes. */
  store(cell: number, value: bigint): void {
    Atomics.store(this.#memory.words, cell, value);
    this.written(cell);
  }

  isZero(cell: number): boolean {
    this.reach(cell + 1);
    const { halfWords } = this.#memory;
    const perCell = this.cellSize / 4;
    for (let i = cell * perCell; i < (cell + 1) * perCell; i++) if (halfWords[i] !== 0) return false;
    return true;
  }

  clear(cell: number, count = 1): void {
    this.bytes.fill(0, this.offset(cell), this.offset(cell + count));
    this.written(cell);
  }

  /** Runs of cells that isFree() says nobody uses, yet hold something: what a killed agent left behind. */
  *leaked(isFree: (cell: number) => boolean): Generator<readonly [cell: number, count: number]> {
    let start = 0;
    for (let cell = 1; cell <= this.length; cell++) {
      const leaked = cell < this.length && !this.isZero(cell) && isFree(cell);
      if (leaked && start === 0) start = cell;
      if (!leaked && start !== 0) {
        yield [start, cell - start];
        start = 0;
      }
    }
  }
}

/** The first cells of a map, in the ways they are looked at. */
interface Memory {
  readonly cells: number;
  readonly memory: ArrayBuffer;
  readonly view: DataView;
  readonly bytes: Buffer;
  readonly words: BigUint64Array;
  readonly halfWords: Int32Array;
}

function mapMemory(map: BpfMap, cells: number): Memory {
  const memory = map.mmap(cells);
  const size = cells * map.valueSize;
  return {
    cells,
    memory,
    view: new DataView(memory, 0, size),
    bytes: Buffer.from(memory, 0, size),
    words: new BigUint64Array(memory, 0, size / 8),
    halfWords: new Int32Array(memory, 0, size / 4),
  };
}
