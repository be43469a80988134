// SPDX-License-Identifier: Apache-2.0
// Sees to it that the checkpoint on disk is not much older than the model, without writing all the time.

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { ModelObject } from "../../model/changes.ts";
import { writeCheckpoint } from "./checkpoint.ts";

/** After a change; changes come in runs. */
const SETTLE_MS = 5_000;
const INTERVAL_MS = 60_000;

export interface CheckpointOptions {
  readonly file: string;
  readonly nodeName: string;
  readonly objects: () => Iterable<ModelObject>;
  /** Said once, until it works again. */
  readonly onProblem: (error: Error) => void;
}

export class CheckpointKeeper implements AsyncDisposable {
  readonly #options: CheckpointOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;
  #lastMs = Number.NEGATIVE_INFINITY;
  #failed = false;
  #closed = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** The model, which is complete, is another than it was. */
  changed(): void {
    this.#dirty = true;
    if (this.#closed) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#writing = this.#write();
      },
      Math.max(SETTLE_MS, this.#lastMs + INTERVAL_MS - performance.now()),
    ).unref();
  }

  /** What changed since is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    if (this.#dirty) await this.#write();
  }

  async #write(): Promise<void> {
    const { file, nodeName, objects, onProblem } = this.#options;
    this.#dirty = false;
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeCheckpoint(file, nodeName, Date.now(), objects());
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) onProblem(error as Error);
      this.#failed = true;
      this.changed(); // it is tried again
    } finally {
      this.#lastMs = performance.now();
    }
  }
}
