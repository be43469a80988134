// SPDX-License-Identifier: Apache-2.0
// Finds the cell of a mapped array that says exactly this: a hash table of ids with open addressing, whose keys are the
// cells themselves. A Map of 100 000 keys as text would take 8 MB more and much of the time of a first write.

import type { MappedArray } from "./mapped-array.ts";

export class CellIndex {
  readonly #cells: MappedArray;
  readonly #wordsPerCell: number;
  /** Ids, 0 for a free slot; a power of two, at least twice as many as there are ids. */
  #slots = new Int32Array(256);
  #count = 0;

  constructor(cells: MappedArray) {
    this.#cells = cells;
    this.#wordsPerCell = cells.cellSize / 4;
  }

  /** The id of a cell of these words, undefined when none was added. */
  find(words: Int32Array): number | undefined {
    const slots = this.#slots;
    for (let slot = this.#home(words, 0); ; slot = this.#after(slot)) {
      const id = slots[slot] ?? 0;
      if (id === 0) return undefined;
      if (this.#says(id, words)) return id;
    }
  }

  /** The cell must not change before it is removed. */
  add(id: number): void {
    this.#count++;
    if (2 * this.#count > this.#slots.length) this.#grow();
    this.#place(id);
  }

  /** Nothing happens when it was not added. */
  remove(id: number): void {
    const slots = this.#slots;
    let hole = this.#homeOf(id);
    while (slots[hole] !== id) {
      if (slots[hole] === 0) return;
      hole = this.#after(hole);
    }
    // Those behind it move up, unless that took them in front of their home.
    for (let slot = this.#after(hole); slots[slot] !== 0; slot = this.#after(slot)) {
      const mover = slots[slot] ?? 0;
      if (this.#distance(this.#homeOf(mover), slot) < this.#distance(hole, slot)) continue;
      slots[hole] = mover;
      hole = slot;
    }
    slots[hole] = 0;
    this.#count--;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    for (const id of before) if (id !== 0) this.#place(id);
  }

  #place(id: number): void {
    let slot = this.#homeOf(id);
    while (this.#slots[slot] !== 0) slot = this.#after(slot);
    this.#slots[slot] = id;
  }

  #says(id: number, words: Int32Array): boolean {
    const cells = this.#cells.halfWords;
    const first = id * this.#wordsPerCell;
    for (let i = 0; i < this.#wordsPerCell; i++) if (cells[first + i] !== words[i]) return false;
    return true;
  }

  #homeOf(id: number): number {
    return this.#home(this.#cells.halfWords, id * this.#wordsPerCell);
  }

  /** The slot where the search begins for the cell whose words stand there. */
  #home(words: Int32Array, first: number): number {
    let hash = 0;
    for (let i = first; i < first + this.#wordsPerCell; i++) {
      hash = Math.imul(hash ^ (words[i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash & (this.#slots.length - 1);
  }

  #after(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** Slots from one to the other, forward. */
  #distance(from: number, to: number): number {
    return (to - from) & (this.#slots.length - 1);
  }
}
