// SPDX-License-Identifier: Apache-2.0
// The second half of "publish, then reclaim": what no live word names any more becomes free only after every packet
// that may still be looking at it has left its RCU section. Never on a timer, never in the way of a change.

/** Returns after every RCU read section that is running now has ended. */
export type RcuSync = () => Promise<void>;

export interface ReclaimerOptions {
  readonly rcuSync: RcuSync;
  /** After a batch became free. */
  readonly onReclaimed: () => void;
  /** rcuSync failed: the batch stays in quarantine and is tried again with the next one. Or what runs after it failed. */
  readonly onError: (error: unknown) => void;
}

export class Reclaimer {
  readonly #options: ReclaimerOptions;
  #quarantine: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #waiting = false;
  #closed = false;

  constructor(options: ReclaimerOptions) {
    this.#options = options;
  }

  /** Whether anything waits for its RCU period. */
  get pending(): boolean {
    return this.#quarantine.length > 0 || this.#waiting;
  }

  /** free runs after an RCU period that begins after now. */
  retire(free: () => void): void {
    this.#quarantine.push(free);
  }

  /** Begins in the background unless one is under way or there is nothing to free. */
  start(): void {
    if (this.#running !== undefined || this.#closed || this.#quarantine.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Waits until nothing is in quarantine, or a period failed. */
  async drained(): Promise<void> {
    this.start();
    await this.#running;
  }

  close(): void {
    this.#closed = true;
  }

  /** Nobody awaits the background: what fails there is reported, and does not stop the rest. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  async #run(): Promise<void> {
    while (this.#quarantine.length > 0 && !this.#closed) {
      const batch = this.#quarantine;
      this.#quarantine = [];
      this.#waiting = true;
      try {
        await this.#options.rcuSync();
      } catch (error) {
        this.#quarantine = [...batch, ...this.#quarantine];
        this.#options.onError(error);
        return;
      } finally {
        this.#waiting = false;
      }
      if (this.#closed) return;
      for (const free of [...batch, this.#options.onReclaimed]) this.#attempt(free);
    }
  }
}
