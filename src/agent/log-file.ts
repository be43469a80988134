// SPDX-License-Identifier: Apache-2.0
// The last lines of the log in STATE_DIR too: what an agent said outlives it there, for `portolan sysdump`. Two files that
// take turns, so that they never need more room than twice AGENT_LOG_ROOM.

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { AGENT_LOG_FILES, AGENT_LOG_ROOM } from "../inspect/settings.ts";

export class LogFile implements Disposable {
  readonly #directory: string;
  readonly #room: number;
  #fd: number | undefined;
  #bytes = 0;
  /** As it was told last; undefined: all is written. */
  #trouble: string | undefined;

  constructor(directory: string, room: number = AGENT_LOG_ROOM) {
    this.#directory = directory;
    this.#room = room;
  }

  /** Returns what keeps lines from being written, once: an agent serves without. */
  append(line: string): string | undefined {
    try {
      this.#write(Buffer.from(line));
      this.#trouble = undefined;
      return undefined;
    } catch (error) {
      const trouble = error instanceof Error ? error.message : String(error);
      const isNew = this.#trouble === undefined;
      this.#trouble = trouble;
      return isNew ? trouble : undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #write(line: Uint8Array): void {
    const fd = this.#fd ?? this.#open();
    if (this.#bytes > 0 && this.#bytes + line.length > this.#room) {
      const [newest, older] = AGENT_LOG_FILES.map((name) => join(this.#directory, name));
      if (newest !== undefined && older !== undefined) renameSync(newest, older);
      this[Symbol.dispose]();
      this.#write(line);
      return;
    }
    this.#bytes += writeSync(fd, line);
  }

  #open(): number {
    mkdirSync(this.#directory, { recursive: true });
    const fd = openSync(join(this.#directory, AGENT_LOG_FILES[0]), "a", 0o640);
    this.#bytes = fstatSync(fd).size;
    this.#fd = fd;
    return fd;
  }
}
