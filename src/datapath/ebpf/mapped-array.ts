// SPDX-License-Identifier: Apache-2.0
// One mmapped array map as cells of a fixed size. Every write ends in written(), so that tests can look after each one.

import type { BpfMap } from "../../libbpf/types.ts";

/** Called after a cell or an entry of a map changed. */
export type WriteHook = (map: string, cell: number) => void;

export class MappedArray {
  readonly name: string;
  /** cells, the unused cell 0 included */
  readonly length: number;
  /** bytes of one cell */
  readonly cellSize: number;
  readonly view: DataView;
  readonly bytes: Buffer;
  readonly #words: BigUint64Array;
  readonly #halfWords: Int32Array;
  readonly #hook: WriteHook | undefined;

  /** Throws Error when the map's cells are not of cellSize, which must be a multiple of 8. */
  constructor(map: BpfMap, cellSize: number, hook?: WriteHook) {
    if (map.valueSize !== cellSize || cellSize % 8 !== 0) {
      throw new Error(
        `map ${map.name} has values of ${map.valueSize} bytes, expected ${cellSize}: another ABI version`,
      );
    }
    const memory = map.mmap();
    this.name = map.name;
    this.length = map.maxEntries;
    this.cellSize = cellSize;
    this.view = new DataView(memory);
    this.bytes = Buffer.from(memory);
    this.#words = new BigUint64Array(memory, 0, (this.length * cellSize) / 8);
    this.#halfWords = new Int32Array(memory, 0, (this.length * cellSize) / 4);
    this.#hook = hook;
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
    Atomics.store(this.#words, cell, value);
    this.written(cell);
  }

  isZero(cell: number): boolean {
    const perCell = this.cellSize / 4;
    for (let i = cell * perCell; i < (cell + 1) * perCell; i++) if (this.#halfWords[i] !== 0) return false;
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
