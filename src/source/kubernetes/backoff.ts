// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next try, as client-go's reflector does: 800 ms, doubled up to 30 s, each with up to as
// much again by chance, from the start after two minutes without a failure.

import { setTimeout as sleep } from "node:timers/promises";

const FIRST_MS = 800;
const MAX_MS = 30_000;
const RESET_MS = 120_000;

export class Backoff {
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #maxMs: number;
  #nextMs = FIRST_MS;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  /** random: 0 to less than 1. now: milliseconds of a clock that only goes forward. maxMs: before what chance adds. */
  constructor(random: () => number = Math.random, now: () => number = () => performance.now(), maxMs: number = MAX_MS) {
    this.#random = random;
    this.#now = now;
    this.#maxMs = maxMs;
  }

  /** What was tried worked for a good while. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }

  /** Milliseconds. */
  next(): number {
    const nowMs = this.#now();
    if (nowMs - this.#failedAtMs > RESET_MS) this.#nextMs = FIRST_MS;
    this.#failedAtMs = nowMs;
    const waitMs = this.#nextMs * (1 + this.#random());
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    return waitMs;
  }
}

/** Resolves after so many milliseconds, or once stop is aborted. */
export type Pause = (ms: number, stop: AbortSignal) => Promise<unknown>;

export const pause: Pause = async (ms, stop) => {
  try {
    await sleep(ms, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
};
