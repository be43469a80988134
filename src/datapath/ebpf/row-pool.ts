// SPDX-License-Identifier: Apache-2.0
// Free rows 1..size-1 of an array map, handed out as runs: a buddy allocator that gives the unused tail of a
// power-of-two run back at once, so a run takes exactly its rows and any freed range merges with its neighbours.

const ORDERS = 25;
const NONE = -1;

export class RowPool {
  readonly size: number;
  /** Per row: 1 + order of the free run that begins here, 0 otherwise. */
  readonly #orderAt: Uint8Array;
  /** Doubly linked list of free runs per order; heads below, links by first row. */
  readonly #heads = new Int32Array(ORDERS).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Per row: 1 when handed out. */
  readonly #used: Uint8Array;
  #freeRows = 0;

  constructor(size: number) {
    this.size = size;
    this.#orderAt = new Uint8Array(size);
    this.#next = new Int32Array(size);
    this.#previous = new Int32Array(size);
    this.#used = new Uint8Array(size).fill(1);
    if (size > 1) this.release(1, size - 1);
  }

  get freeRows(): number {
    return this.#freeRows;
  }

  /** Whether take(count) would find a run. */
  canTake(count: number): boolean {
    return this.#heads.subarray(32 - Math.clz32(count - 1)).some((row) => row !== NONE);
  }

  /** First row of a run of count rows; undefined when no free run is long enough. */
  take(count: number): number | undefined {
    const wanted = 32 - Math.clz32(count - 1);
    let order = wanted;
    while (order < ORDERS && this.#heads[order] === NONE) order++;
    const row = this.#heads[order];
    if (row === undefined) return undefined;
    this.#unlink(row, order);
    this.#giveBack(row + count, row + (1 << order));
    this.#used.fill(1, row, row + count);
    return row;
  }

  /** Takes these very rows (adoption). False, and nothing taken, unless all of them are free. */
  reserve(row: number, count: number): boolean {
    if (row < 1 || row + count > this.size) return false;
    if (this.#used.subarray(row, row + count).includes(1)) return false;
    const runs: (readonly [row: number, order: number])[] = [];
    for (let at = row; at < row + count; ) {
      const run = this.#runAround(at);
      if (run === undefined) return false;
      runs.push(run);
      at = run[0] + (1 << run[1]);
    }
    for (const [start, order] of runs) {
      this.#unlink(start, order);
      this.#giveBack(start, Math.min(row, start + (1 << order)));
      this.#giveBack(Math.max(row + count, start), start + (1 << order));
    }
    this.#used.fill(1, row, row + count);
    return true;
  }

  release(row: number, count: number): void {
    const free = this.#used.subarray(row, row + count).indexOf(0);
    if (free >= 0) throw new Error(`row ${row + free} is released but was not taken`);
    this.#used.fill(0, row, row + count);
    this.#giveBack(row, row + count);
  }

  /** One more than the last row taken; at least 1. */
  get end(): number {
    return this.#used.lastIndexOf(1) + 1;
  }

  isFree(row: number): boolean {
    return this.#used[row] === 0;
  }

  /** Cuts [from, to) into the largest aligned runs, each merged with its free buddies. */
  #giveBack(from: number, to: number): void {
    for (let at = from; at < to; ) {
      let order = 31 - Math.clz32(at & -at);
      while (at + (1 << order) > to) order--;
      this.#link(at, order);
      at += 1 << order;
    }
  }

  #runAround(row: number): readonly [number, number] | undefined {
    for (let order = 0; order < ORDERS; order++) {
      const start = (row >>> order) << order;
      if (this.#orderAt[start] === order + 1) return [start, order];
    }
    return undefined;
  }

  #link(row: number, order: number): void {
    this.#freeRows += 1 << order;
    let [start, size] = [row, order];
    while (size < ORDERS - 1) {
      const buddy = start ^ (1 << size);
      if (this.#orderAt[buddy] !== size + 1) break;
      this.#unlink(buddy, size);
      this.#freeRows += 1 << size;
      start = Math.min(start, buddy);
      size++;
    }
    const head = this.#heads[size] ?? NONE;
    this.#orderAt[start] = size + 1;
    this.#next[start] = head;
    this.#previous[start] = NONE;
    if (head !== NONE) this.#previous[head] = start;
    this.#heads[size] = start;
  }

  #unlink(row: number, order: number): void {
    const next = this.#next[row] ?? NONE;
    const previous = this.#previous[row] ?? NONE;
    if (previous === NONE) this.#heads[order] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#orderAt[row] = 0;
    this.#freeRows -= 1 << order;
  }
}
