// SPDX-License-Identifier: Apache-2.0
// Free cells 1..size-1 of an array map: one at a time, constant time.

export class IdPool {
  readonly size: number;
  readonly #used: Uint8Array;
  readonly #free: number[] = [];
  /** Cells from here on were never handed out. */
  #fresh = 1;
  #taken = 0;

  constructor(size: number) {
    this.size = size;
    this.#used = new Uint8Array(size);
  }

  /** undefined when all are taken. */
  take(): number | undefined {
    for (let id = this.#free.pop(); id !== undefined; id = this.#free.pop()) {
      if (this.#used[id] === 0) return this.#mark(id);
    }
    while (this.#fresh < this.size) {
      const id = this.#fresh++;
      if (this.#used[id] === 0) return this.#mark(id);
    }
    return undefined;
  }

  /** Takes one that is in use already (adoption). False when it is taken. */
  reserve(id: number): boolean {
    if (this.#used[id] !== 0) return false;
    this.#mark(id);
    return true;
  }

  release(id: number): void {
    if (this.#used[id] !== 1) throw new Error(`id ${id} is released but was not taken`);
    this.#used[id] = 0;
    this.#taken--;
    if (id < this.#fresh) this.#free.push(id);
  }

  /** One more than the greatest id taken; at least 1. */
  get end(): number {
    return Math.max(1, this.#used.lastIndexOf(1) + 1);
  }

  /** Cells that are taken. */
  get taken(): number {
    return this.#taken;
  }

  isFree(id: number): boolean {
    return this.#used[id] === 0;
  }

  #mark(id: number): number {
    this.#used[id] = 1;
    this.#taken++;
    return id;
  }
}
