// SPDX-License-Identifier: Apache-2.0
// Does again what failed, until it succeeds: nothing that an agent follows may wait for another change to come.

import type { Log } from "./log.ts";

/** From a failure to the next attempt; doubled each time. */
const FIRST_DELAY_MS = 1000;
const LAST_DELAY_MS = 60_000;

type Action = () => void | Promise<void>;

export class Retry implements Disposable {
  readonly #log: Log;
  readonly #message: string;
  /** By name, what is left to do. */
  readonly #left = new Map<string, Action>();
  /** Failures that are logged already, until nothing is left. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** message: what the log says of a failure. */
  constructor(log: Log, message: string) {
    this.#log = log;
    this.#message = message;
  }

  /** Does it now, and again until it succeeds or another of the same name takes its place. */
  attempt(name: string, action: () => void): void {
    try {
      action();
      this.#left.delete(name);
    } catch (error) {
      this.failed(name, error, action);
    }
  }

  /** This failed just now. again: what is left of it to do, in a second and ever more seldom until it throws no more. */
  failed(name: string, error: unknown, again: Action): void {
    this.#left.set(name, again);
    this.#tell(error);
    this.#after(FIRST_DELAY_MS);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #after(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#attemptAll(delayMs), delayMs);
  }

  async #attemptAll(delayMs: number): Promise<void> {
    const begun = this.#timer;
    await Promise.all(Array.from(this.#left, ([name, again]) => this.#attemptAgain(name, again)));
    if (this.#left.size === 0) this.#told.clear();
    else if (this.#timer === begun) this.#after(Math.min(2 * delayMs, LAST_DELAY_MS));
  }

  async #attemptAgain(name: string, again: Action): Promise<void> {
    try {
      await again();
      if (this.#left.get(name) === again) this.#left.delete(name);
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    if (error instanceof AggregateError) {
      for (const failure of error.errors) this.#tell(failure);
      return;
    }
    const level = this.#told.has(String(error)) ? "debug" : "error";
    this.#told.add(String(error));
    this.#log[level]({ err: error }, this.#message);
  }
}
