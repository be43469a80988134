// SPDX-License-Identifier: Apache-2.0
// Files that changed without a sign: inotify's queue is finite, and Node.js does not tell that it ran over.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isManifest } from "./manifest-file.ts";

/** So many looks go round all files at most: an idle agent with 1000 files spends 0.02 % of a core on it, by one look a second. */
const LOOKS = 30;

/** Of files, by name: what stampOf() said before they were read. */
export type Stamps = ReadonlyMap<string, { readonly stamp: string }>;

export class FileRound {
  readonly #directory: string;
  #names: readonly string[] = [];
  #next = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Looks at the next few files: returns those that are not as they were read, or not there, or new. */
  look(read: Stamps): readonly string[] {
    if (this.#next >= this.#names.length) this.#begin(read);
    const end = this.#next + Math.ceil(this.#names.length / LOOKS);
    const names = this.#names.slice(this.#next, end);
    this.#next = end;
    return names.filter((name) => stampOf(join(this.#directory, name)) !== (read.get(name)?.stamp ?? ""));
  }

  #begin(read: Stamps): void {
    const there = readdirSync(this.#directory).filter(isManifest);
    this.#names = [...new Set([...there, ...read.keys()])];
    this.#next = 0;
  }
}

/** Differs when a file does; "" for none that can be looked at. Not async: that takes ten times the processor time. */
export function stampOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch {
    // Why not, the reading of it tells.
    return "";
  }
}
