// SPDX-License-Identifier: Apache-2.0
// Mode ebpf on its way out: rules of another mode serve what begins, the programs what has begun, until that has ended.

import type { DatagramTimes } from "../netfilter/conntrack-times.ts";
import { cleanupPins } from "./cleanup.ts";
import { leaveNew, openRest, type Rest } from "./hand-back.ts";
import { type Pins, serves } from "./pins.ts";

/** Answers to datagrams of unconnected sockets are shown as the VIP's so long: resolvers wait no longer. */
const LATE_ANSWERS_MS = 5000;

export class LeavingEbpf implements Disposable {
  readonly mode = "ebpf";
  readonly #pins: Pins;
  readonly #times: () => DatagramTimes;
  #rest: Rest | undefined;
  #answersBy = 0;

  /** The lock on the pins is the caller's. */
  constructor(pins: Pins, times: () => DatagramTimes) {
    this.#pins = pins;
    this.#times = times;
  }

  async present(): Promise<boolean> {
    return serves(this.#pins);
  }

  /** Rejects with BpfError. */
  async cleanup(atOnce: boolean): Promise<boolean> {
    if (!atOnce && !this.look().done) return false;
    this[Symbol.dispose]();
    cleanupPins(this.#pins);
    return true;
  }

  /** New connections are others' from now on. left: flows that still need the programs. Throws BpfError. */
  look(): { readonly left: number; readonly done: boolean } {
    if (!this.#rest) {
      leaveNew(this.#pins);
      this.#rest = openRest(this.#pins, this.#times());
      this.#answersBy = performance.now() + LATE_ANSWERS_MS;
    }
    const left = this.#rest.left();
    return { left, done: left === 0 && performance.now() >= this.#answersBy };
  }

  [Symbol.dispose](): void {
    this.#rest?.[Symbol.dispose]();
    this.#rest = undefined;
  }
}
