// SPDX-License-Identifier: Apache-2.0
// Node and zone names, each stored once and named by its row. Row 0 stands for "unknown".
// The packet path never reads them, so a row is free as soon as nothing refers to it.

import * as abi from "./abi.gen.ts";
import { MapFullError } from "./errors.ts";
import { IdPool } from "./id-pool.ts";
import type { MappedArray } from "./mapped-array.ts";

export class NameTable {
  readonly pool: IdPool;
  readonly #cells: MappedArray;
  readonly #rows = new Map<string, number>();
  readonly #references: Uint32Array;

  constructor(cells: MappedArray) {
    this.#cells = cells;
    this.pool = new IdPool(cells.length);
    this.#references = new Uint32Array(cells.length);
  }

  /** The row of a name, undefined when it has none yet. */
  find(name: string | undefined): number | undefined {
    return name === undefined || name === "" ? 0 : this.#rows.get(name);
  }

  /** The row of a name, written first if need be; release() it as often. Throws MapFullError. */
  acquire(name: string | undefined): number {
    const row = this.find(name) ?? this.#write(name ?? "");
    this.retain(row);
    return row;
  }

  retain(row: number): void {
    if (row !== 0) this.#references[row] = (this.#references[row] ?? 0) + 1;
  }

  /** Frees the row with its last reference. */
  release(row: number): void {
    if (row === 0 || this.#references[row] === 0) return;
    const left = (this.#references[row] ?? 0) - 1;
    this.#references[row] = left;
    if (left > 0) return;
    const name = this.text(row);
    if (this.#rows.get(name) === row) this.#rows.delete(name);
    this.free(row);
  }

  /** Clears a row nothing refers to. */
  free(row: number): void {
    this.#cells.clear(row);
    this.pool.release(row);
  }

  text(row: number): string {
    return row === 0 ? "" : abi.nameRow.read(this.#cells.view, this.#cells.offset(row)).text;
  }

  /** Takes over a row an earlier agent wrote; false when it is out of bounds or empty. Each call is a reference. */
  adopt(row: number): boolean {
    if (row === 0) return true;
    if (row >= this.#cells.length || this.text(row) === "") return false;
    if (this.pool.reserve(row)) this.#rows.set(this.text(row), row);
    this.retain(row);
    return true;
  }

  #write(name: string): number {
    const row = this.pool.take();
    if (row === undefined) throw new MapFullError("names", this.#cells.length, `name ${name}`);
    this.#cells.reach(row + 1);
    abi.nameRow.write(this.#cells.view, this.#cells.offset(row), { text: name });
    this.#cells.written(row);
    this.#rows.set(name, row);
    return row;
  }
}
