// SPDX-License-Identifier: Apache-2.0
// Takes over from an agent of another layout, and goes on trying until that is done: what served until then goes on serving.

import type { EbpfDriver } from "../datapath/ebpf/driver.ts";
import type { Log } from "./log.ts";

const AGAIN_MS = 1000;
const WAITS_FOR = {
  devices: "not all devices have hooks of ours: the other layout's stay in use until they have",
  room: "some flows of the other layout find no room in our tables: they are served, and tried again",
} as const;

export class TakeOver implements AsyncDisposable {
  readonly #driver: Pick<EbpfDriver, "takeOver">;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** What the log says already. */
  #told: string | undefined;

  constructor(driver: Pick<EbpfDriver, "takeOver">, log: Log) {
    this.#driver = driver;
    this.#log = log;
  }

  /** Hooks are on the devices. Never rejects; what it could not do it does again in a second. */
  attempt(): Promise<void> {
    this.#running = this.#attempt();
    return this.#running;
  }

  /** The driver is needed until then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #attempt(): Promise<void> {
    try {
      const taken = await this.#driver.takeOver();
      if (!taken) return;
      const { from, records, waitsFor } = taken;
      if (waitsFor === undefined) {
        this.#log.info({ from: `v${from}`, records }, "took over from another layout, flows and all");
        return;
      }
      this.#again({ from: `v${from}`, records }, WAITS_FOR[waitsFor]);
    } catch (error) {
      this.#again({ err: error }, "another layout could not be taken over, it is tried again");
    }
  }

  #again(why: object, message: string): void {
    if (this.#told !== message) this.#log.error(why, message);
    this.#told = message;
    if (!this.#stopped) this.#timer = setTimeout(() => void this.attempt(), AGAIN_MS);
  }
}
