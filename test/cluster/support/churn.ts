// SPDX-License-Identifier: Apache-2.0
// Keeps the API server changing a bulk of Services: most changes give one the other set of endpoints, some take a Service
// away with its slice or bring it back.
import { type BulkSize, bulkAddresses, bulkEndpoints, bulkService, bulkSlice } from "./bulk.ts";
import type { ControlPlane } from "./control-plane.ts";

/** Every so many changes of a Service one takes it away, the next brings it back. */
const LIFE = 4;
const WORKERS = 32;

export class Churn {
  readonly #plane: ControlPlane;
  readonly #size: BulkSize;
  /** Of each Service, the changes made to it. */
  readonly #rounds: number[];
  #workers: Promise<unknown> = Promise.resolve();
  #begunMs = 0;
  #changes = 0;
  #perSecond = 0;
  #stopped = true;

  /** The Services and slices of loadBulk() are there, and nobody else changes them. */
  constructor(plane: ControlPlane, size: BulkSize) {
    this.#plane = plane;
    this.#size = size;
    this.#rounds = Array.from({ length: size.services }, () => 0);
  }

  /** Since the start. */
  get changes(): number {
    return this.#changes;
  }

  /** perSecond: at most. */
  start(perSecond: number): void {
    this.#begunMs = performance.now();
    this.#changes = 0;
    this.#perSecond = perSecond;
    this.#stopped = false;
    this.#workers = Promise.all(Array.from({ length: WORKERS }, (_, worker) => this.#work(worker)));
    this.#workers.catch(() => {}); // whoever stops it is told
  }

  /** Resolves once all changes begun are made, with how many they were. */
  async stop(): Promise<{ changes: number; perSecond: number }> {
    this.#stopped = true;
    await this.#workers;
    const seconds = (performance.now() - this.#begunMs) / 1000;
    return { changes: this.#changes, perSecond: Math.round(this.#changes / seconds) };
  }

  /** A worker has Services of its own, so that no two change one at once. */
  async #work(worker: number): Promise<void> {
    for (let service = worker; !this.#stopped; service += WORKERS) {
      if (service >= this.#size.services) service = worker;
      const earlyMs = (this.#changes / this.#perSecond) * 1000 - (performance.now() - this.#begunMs);
      this.#changes++;
      if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
      await this.#change(service);
    }
  }

  /** At the end of its life a Service goes or comes before its slice, as they do with a controller. */
  async #change(n: number): Promise<void> {
    const { api } = this.#plane;
    const round = this.#rounds[n] ?? 0;
    this.#rounds[n] = round + 1;
    const addresses = bulkAddresses(n, this.#size, round % 2 === 0 ? 1 : 0);
    switch (round % LIFE) {
      case LIFE - 2:
        await api.delete(bulkService(n));
        await api.delete(bulkSlice(n, []));
        break;
      case LIFE - 1:
        await api.create(bulkService(n));
        await api.create(bulkSlice(n, addresses));
        break;
      default:
        await api.patch(bulkSlice(n, []), { endpoints: bulkEndpoints(addresses) });
    }
  }
}
