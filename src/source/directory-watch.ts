// SPDX-License-Identifier: Apache-2.0
// Signs of change in one directory. Survives the directory's removal, replacement and return, which inotify does not.

import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";

const LOOK_MS = 1000;

export interface DirectoryEvents {
  /** Something about this entry of the directory may have changed; undefined: about any. */
  onSign(name: string | undefined): void;
  /** The directory cannot be watched, or is there again (undefined). Told once each. */
  onTrouble(error: Error | undefined): void;
}

export class DirectoryWatch implements Disposable {
  readonly #directory: string;
  readonly #events: DirectoryEvents;
  #watcher: FSWatcher | undefined;
  /** Device and inode of the directory being watched: a new one may have taken its name. */
  #identity = "";
  #trouble = "";
  #looking = false;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  constructor(directory: string, events: DirectoryEvents) {
    this.#directory = directory;
    this.#events = events;
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** Makes sure that the directory of this name now is the one being watched. */
  async look(): Promise<void> {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    try {
      const { dev, ino, birthtimeMs } = await stat(this.#directory);
      this.#follow(`${dev}:${ino}:${birthtimeMs}`);
      this.#tell(undefined);
    } catch (error) {
      this.#unwatch();
      this.#tell(error as Error);
      // Out of inotify watches, the directory can still be read once in a while.
      this.#sign(undefined);
    } finally {
      this.#looking = false;
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#unwatch();
  }

  #follow(identity: string): void {
    if (this.#closed || (this.#watcher && identity === this.#identity)) return;
    this.#unwatch();
    this.#watcher = watch(this.#directory, (_type, name) => {
      this.#sign(name ?? undefined);
      // So says a watched directory that is removed or renamed itself.
      if (name === basename(this.#directory)) this.#renew();
    });
    this.#watcher.on("error", (error) => {
      this.#tell(error);
      this.#renew();
    });
    this.#identity = identity;
    this.#sign(undefined);
  }

  /** A new directory can have its predecessor's inode number. */
  #renew(): void {
    this.#unwatch();
    void this.look();
  }

  #sign(name: string | undefined): void {
    if (!this.#closed) this.#events.onSign(name);
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #tell(error: Error | undefined): void {
    const trouble = error?.message ?? "";
    if (this.#closed || trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#events.onTrouble(error);
  }
}
