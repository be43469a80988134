// SPDX-License-Identifier: Apache-2.0
// A seeded generator that costs nanoseconds (xorshift32), and the set of what was drawn before.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** 0 up to below. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(list: readonly T[]): T {
    const chosen = list[this.below(list.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  }
}

/** Remembers byte strings by a 53-bit hash: two different ones are taken for one less than once in a thousand runs. */
export class Seen {
  readonly #cells: Float64Array;
  #size = 0;

  constructor(atMost: number) {
    this.#cells = new Float64Array(2 ** Math.ceil(Math.log2(atMost * 2)));
  }

  get size(): number {
    return this.#size;
  }

  /** False when it was there already. */
  add(bytes: Uint8Array, salt: number): boolean {
    let low = 0x811c9dc5 ^ salt;
    let high = 0x9747b28c ^ bytes.length;
    for (const byte of bytes) {
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high ^ byte, 0x5bd1e995);
      high ^= high >>> 15;
    }
    const hash = (low >>> 0) * 2 ** 21 + ((high >>> 0) & 0x1fffff) + 1;
    for (let i = (low >>> 0) & (this.#cells.length - 1); ; i = (i + 1) & (this.#cells.length - 1)) {
      if (this.#cells[i] === hash) return false;
      if (this.#cells[i] !== 0) continue;
      this.#cells[i] = hash;
      this.#size++;
      return true;
    }
  }
}
