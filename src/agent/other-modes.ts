// SPDX-License-Identifier: Apache-2.0
// What another mode of ours serves on this node when this one begins: it goes once this one serves, and not before what it has
// begun needs it no more.

import type { Mode } from "../datapath/contract.ts";
import type { Log } from "./log.ts";

/** Ends of connections are waited for so: from look to look. */
const LOOK_MS = 1000;

export interface OtherMode {
  readonly mode: Mode;
  /** Whether anything of it is at work here. */
  present(): Promise<boolean>;
  /** Leaves to others what begins, and goes if nothing needs it any more; false: ask again. */
  cleanup(atOnce: boolean): Promise<boolean>;
}

export class OtherModes implements AsyncDisposable {
  #found: readonly OtherMode[];
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** What the log says already. */
  readonly #told = new Set<string>();

  static async find(modes: readonly OtherMode[], log: Log): Promise<OtherModes> {
    const present = await Promise.all(modes.map((mode) => mode.present()));
    return new OtherModes(
      modes.filter((_, i) => present[i]),
      log,
    );
  }

  private constructor(found: readonly OtherMode[], log: Log) {
    this.#found = found;
    this.#log = log;
  }

  /** Those that are still there. */
  get modes(): readonly Mode[] {
    return this.#found.map(({ mode }) => mode);
  }

  /** This mode serves. Never rejects; what could not be done is tried again. */
  async leave(): Promise<void> {
    this.#running = this.#attempt();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #attempt(): Promise<void> {
    const left: OtherMode[] = [];
    for (const mode of this.#found) if (!(await this.#isGone(mode))) left.push(mode);
    this.#found = left;
    if (left.length > 0 && !this.#stopped) this.#timer = setTimeout(() => void this.leave(), LOOK_MS);
  }

  async #isGone(other: OtherMode): Promise<boolean> {
    try {
      if (await other.cleanup(false)) {
        this.#log.info({ mode: other.mode }, "what another mode left is gone");
        return true;
      }
      this.#tell("info", `new connections are this mode's; what mode ${other.mode} has begun goes on until it ends`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#tell("error", `what mode ${other.mode} left could not be taken away, it is tried again: ${reason}`);
    }
    return false;
  }

  #tell(level: "info" | "error", message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#log[level](message);
  }
}
