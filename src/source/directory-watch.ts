// SPDX-License-Identifier: Apache-2.0
// Signs of change in one directory. Survives the directory's removal, replacement and return, which inotify does not.

import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";

const LOOK_MS = 1000;

export interface DirectoryEvents {
  /** Something about this entry of the directory may have changed; undefined: about any. */
  onSign(name: string | undefined): void;
  /** Told at every look: why the directory cannot be watched; undefined: it is. */
  onTrouble(error: NodeJS.ErrnoException | undefined): void;
  /** Told at every look, about once a second, while the directory is being watched. */
  onLook?(): void;
}

export class DirectoryWatch implements Disposable {
  readonly #directory: string;
  readonly #events: DirectoryEvents;
  #watcher: FSWatcher | undefined;
  /** Device and inode of the directory being watched: a new one may have taken its name. */
  #identity = "";
  #looking = false;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  constructor(directory: string, events: DirectoryEvents, lookMs: number = LOOK_MS) {
    this.#directory = directory;
    this.#events = events;
    this.#timer = setInterval(() => void this.look(), lookMs);
  }

  /** Makes sure that the directory of this name now is the one being watched. */
  async look(): Promise<void> {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    const there = await stat(this.#directory).catch((error: NodeJS.ErrnoException) => error);
    this.#looking = false;
    if (this.#closed) return;
    const trouble = there instanceof Error ? there : this.#follow(`${there.dev}:${there.ino}:${there.birthtimeMs}`);
    if (trouble) this.#unwatch();
    this.#events.onTrouble(trouble);
    // Out of inotify watches, the directory can still be read once in a while.
    if (trouble && trouble !== there) this.#events.onSign(undefined);
    if (!trouble) this.#events.onLook?.();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#unwatch();
  }

  /** Returns why it cannot be watched. */
  #follow(identity: string): Error | undefined {
    if (this.#watcher && identity === this.#identity) return undefined;
    this.#unwatch();
    try {
      this.#watcher = watch(this.#directory, (_type, name) => {
        this.#events.onSign(name ?? undefined);
        // So says a watched directory that is removed or renamed itself.
        if (name === basename(this.#directory)) this.#renew();
      });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    this.#watcher.on("error", (error) => {
      this.#events.onTrouble(error);
      this.#renew();
    });
    this.#identity = identity;
    this.#events.onSign(undefined);
    return undefined;
  }

  /** A new directory can have its predecessor's inode number. */
  #renew(): void {
    this.#unwatch();
    void this.look();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
