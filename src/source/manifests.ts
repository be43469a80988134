// SPDX-License-Identifier: Apache-2.0
// The source of the embedded default: a directory of YAML and JSON manifests, watched. While a file does not parse,
// what it held before stays; an object that cannot be used stays as it was, beside all others of its file as they are.

import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { sameValue } from "../model/same-value.ts";
import { believe } from "./believed-file.ts";
import { type DirectoryEvents, DirectoryWatch } from "./directory-watch.ts";
import { FileRound, stampOf } from "./file-round.ts";
import { isManifest, type KnownDocuments, readManifest } from "./manifest-file.ts";
import { ManifestStore } from "./manifest-store.ts";
import type { OnChange, Source, SourceProblem } from "./source.ts";

/** A file is read when it has not been written for so long: editors write in several steps. */
const SETTLE_MS = 5;
/** And believed to have lost objects, or its sense, or its existence, only after so long. */
const DOUBT_MS = 100;
/** In place of a name: all files, most of all to be looked at. */
const ALL = "";

export interface ManifestSourceOptions {
  readonly doubtMs?: number;
  /** How often the directory, and a few of its files, are looked at without a sign of change; default 1000. */
  readonly lookMs?: number;
}

interface KnownFile {
  /** Of the content, or of the failure to read it. */
  readonly hash: string;
  /** stampOf(), from before it was read. */
  readonly stamp: string;
  readonly documents: KnownDocuments;
}

interface Pending {
  /** performance.now() of the last sign of a change. */
  readonly sinceMs: number;
  /** How long it must have been quiet before it is looked at. */
  readonly waitMs: number;
}

type OnProblem = (problem: SourceProblem) => void;

export class ManifestSource implements Source {
  readonly #directory: string;
  readonly #doubtMs: number;
  readonly #lookMs: number | undefined;
  readonly #round: FileRound;
  readonly #store = new ManifestStore();
  readonly #known = new Map<string, KnownFile>();
  readonly #pending = new Map<string, Pending>();
  readonly #shared = new Map<string, string>();
  /** Files with something that could not be used at the start and cannot yet: the state is not complete without it. */
  readonly #unknown = new Set<string>();
  /** By file; only files that have any. Of ALL: the directory cannot be watched. */
  readonly #troubled = new Map<string, readonly string[]>();
  #troubledChanged = false;
  #watch: DirectoryWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** performance.now() at which the timer fires. */
  #wakeMs = Number.POSITIVE_INFINITY;
  /** All files have been read once. */
  #first: Promise<void> = Promise.resolve();
  #work: Promise<void> | undefined;
  #onChange: OnChange = () => {};
  #onProblem: OnProblem = () => {};
  /** Error code of what is wrong with the directory. */
  #trouble: string | undefined;
  #started = false;
  #closed = false;

  constructor(directory: string, { doubtMs = DOUBT_MS, lookMs }: ManifestSourceOptions = {}) {
    this.#directory = directory;
    this.#doubtMs = doubtMs;
    this.#lookMs = lookMs;
    this.#round = new FileRound(directory);
  }

  begin(onProblem: OnProblem): void {
    this.#onProblem = onProblem;
    this.#first = this.#readFirst();
    this.#first.catch(() => {}); // start() rejects with it
  }

  /** Rejects with the file system's error when the directory cannot be read. */
  async start(onChange: OnChange): Promise<void> {
    await this.#first;
    if (this.#closed) return;
    this.#onChange = onChange;
    this.#tell();
    this.#started = true;
    this.#wakeForNext();
  }

  /** A directory has nobody to tell. */
  record(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watch?.[Symbol.dispose]();
    clearTimeout(this.#timer);
    await Promise.allSettled([this.#first, this.#work]);
  }

  get #synced(): boolean {
    return this.#unknown.size === 0;
  }

  async #readFirst(): Promise<void> {
    await readdir(this.#directory);
    if (this.#closed) return;
    const events: DirectoryEvents = {
      onSign: (name) => this.#sign(name),
      onTrouble: (error) => this.#reportDirectory(error),
      onLook: () => this.#look(),
    };
    this.#watch = new DirectoryWatch(this.#directory, events, this.#lookMs);
    await this.#watch.look();
    // Every file is about to be read: only signs from here on mean a change.
    this.#pending.clear();
    for (const name of await this.#list()) {
      if (this.#closed) return;
      await this.#read(name, Number.POSITIVE_INFINITY);
    }
    for (const warning of this.#store.takeWarnings()) this.#report(warning);
  }

  #sign(name: string | undefined): void {
    // ..data is the link that a mounted ConfigMap's update moves.
    if (name === undefined || name === "..data") this.#queue(ALL, { sinceMs: performance.now(), waitMs: SETTLE_MS });
    else if (isManifest(name)) this.#queue(name, { sinceMs: performance.now(), waitMs: SETTLE_MS });
  }

  /** For changes that came without a sign. What is being read, or waits for it, is not known as it is yet. */
  #look(): void {
    if (!this.#started || this.#work || this.#pending.size > 0) return;
    for (const name of this.#round.look(this.#known)) this.#sign(name);
  }

  #queue(name: string, pending: Pending): void {
    this.#pending.set(name, pending);
    this.#wake(dueMs(pending));
  }

  /** Sees to it that pending files are looked at by then. */
  #wake(dueMs: number): void {
    if (!this.#started || this.#closed || this.#work || dueMs >= this.#wakeMs) return;
    clearTimeout(this.#timer);
    this.#wakeMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#work = this.#process();
      },
      Math.max(0, dueMs - performance.now()),
    );
  }

  #wakeForNext(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending.values()) next = Math.min(next, dueMs(pending));
    this.#wake(next);
  }

  async #process(): Promise<void> {
    const synced = this.#synced;
    for (const [name, pending] of this.#takeDue()) {
      if (this.#closed) return;
      if (name !== ALL) await this.#read(name, performance.now() - pending.sinceMs);
      else await this.#readAll(pending);
    }
    const tell = !this.#store.unchanged || synced !== this.#synced || this.#troubledChanged;
    if (tell && !this.#closed) this.#tell();
    // An object moving from file to file stands in both until the first is believed to have lost it.
    if (this.#pending.size === 0) for (const warning of this.#store.takeWarnings()) this.#report(warning);
    this.#work = undefined;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    this.#wakeForNext();
  }

  #tell(): void {
    this.#troubledChanged = false;
    this.#onChange(this.#store.take(this.#synced), new Set([...this.#troubled.values()].flat()));
  }

  #noteTroubled(name: string, troubled: readonly string[]): void {
    if (sameValue(this.#troubled.get(name) ?? [], troubled)) return;
    this.#troubledChanged = true;
    if (troubled.length > 0) this.#troubled.set(name, troubled);
    else this.#troubled.delete(name);
  }

  #takeDue(): readonly [string, Pending][] {
    const due = [...this.#pending].filter(([, pending]) => dueMs(pending) <= performance.now());
    for (const [name] of due) this.#pending.delete(name);
    return due;
  }

  async #readAll({ sinceMs }: Pending): Promise<void> {
    const there = await this.#list().catch((error: NodeJS.ErrnoException) => this.#reportDirectory(error));
    if (!there) return;
    for (const name of new Set([...there, ...this.#known.keys()])) {
      if (!this.#pending.has(name)) await this.#read(name, performance.now() - sinceMs);
    }
    if (!this.#trouble) this.#noteTroubled(ALL, []);
  }

  async #list(): Promise<readonly string[]> {
    return (await readdir(this.#directory)).filter(isManifest).sort();
  }

  async #read(name: string, quietMs: number): Promise<void> {
    const file = join(this.#directory, name);
    const doubt = () => {
      if (quietMs >= this.#doubtMs) return false;
      if (!this.#pending.has(name))
        this.#pending.set(name, { sinceMs: performance.now() - quietMs, waitMs: this.#doubtMs });
      return true;
    };
    const stamp = stampOf(file);
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => error);
    if (bytes instanceof Error) {
      if (!doubt()) await this.#unreadable(name, stamp, bytes);
      return;
    }
    const known = this.#known.get(name);
    const hash = createHash("sha1").update(bytes).digest("base64");
    if (known?.hash === hash) {
      this.#known.set(name, { ...known, stamp });
      return;
    }
    const manifest = readManifest(file, bytes.toString("utf8"), known?.documents ?? new Map(), {
      intern: this.#intern,
      reuse: (object) => this.#store.reuse(file, object),
    });
    const believed = believe(manifest, this.#store.objectsOf(file));
    const failed = manifest.problems.some(({ severity }) => severity === "error");
    if ((failed || this.#store.loses(file, believed.objects)) && doubt()) return;

    if (believed.complete) this.#unknown.delete(name);
    else if (!this.#started) this.#unknown.add(name);
    const documents = believed.held && known ? known.documents : manifest.documents;
    this.#known.set(name, { hash, stamp, documents });
    this.#noteTroubled(name, manifest.troubled);
    for (const problem of believed.problems) this.#report(problem);
    this.#store.replace(file, believed.objects);
  }

  /** A file that is gone takes its objects with it, unless the whole directory is gone: that is no wish of the user's. */
  async #unreadable(name: string, stamp: string, error: NodeJS.ErrnoException): Promise<void> {
    const file = join(this.#directory, name);
    if (error.code === "ENOENT") {
      const directory = await stat(this.#directory).catch(() => undefined);
      if (!directory) return;
      this.#known.delete(name);
      this.#unknown.delete(name);
      this.#noteTroubled(name, []);
      this.#store.replace(file, new Map());
      return;
    }
    if (!this.#started) this.#unknown.add(name);
    const known = this.#known.get(name);
    this.#known.set(name, { hash: error.message, stamp, documents: known?.documents ?? new Map() });
    if (known?.hash === error.message) return;
    this.#noteTroubled(name, [file]);
    const message = `cannot be read: ${error.message} (until then the file counts as it was before)`;
    this.#report({ severity: "error", place: file, message });
  }

  /** Told once; undefined: all is well again. */
  #reportDirectory(error: NodeJS.ErrnoException | undefined): void {
    const place = this.#directory;
    if (error?.code === this.#trouble) return;
    this.#trouble = error?.code;
    this.#sign(undefined); // it is known again once it has been read
    if (error) {
      this.#noteTroubled(ALL, [place]);
      const message = `cannot be watched: ${error.message}: what is served stays as it is until the directory is back`;
      this.#report({ severity: "error", place, message });
    } else this.#report({ severity: "debug", place, message: "is being watched" });
  }

  #report(problem: SourceProblem): void {
    if (!this.#closed) this.#onProblem(problem);
  }

  readonly #intern = (text: string): string => {
    const shared = this.#shared.get(text);
    if (shared === undefined) this.#shared.set(text, text);
    return shared ?? text;
  };
}

function dueMs({ sinceMs, waitMs }: Pending): number {
  return sinceMs + waitMs;
}
