// SPDX-License-Identifier: Apache-2.0
// All objects of a directory of manifests: which file's version of an object counts, and what changed.

import { ChangeTracker, type ModelChanges, type ModelObject, objectKey } from "../model/changes.ts";
import { sameValue } from "../model/same-value.ts";
import { duplicate, type PlacedObject } from "./manifest-file.ts";
import type { SourceProblem } from "./source.ts";

const NOTHING: ReadonlyMap<string, PlacedObject> = new Map();

export class ManifestStore {
  readonly #changes = new ChangeTracker();
  readonly #files = new Map<string, ReadonlyMap<string, PlacedObject>>();
  /** Every object's versions, by file name: the first counts. */
  readonly #versions = new Map<string, readonly PlacedObject[]>();

  /** Objects that have come to stand in several files. */
  readonly #contested = new Set<string>();

  /** The file now holds these objects; none: the file is gone. */
  replace(file: string, objects: ReadonlyMap<string, PlacedObject>): void {
    const before = this.#files.get(file);
    if (objects.size > 0) this.#files.set(file, objects);
    else this.#files.delete(file);

    for (const key of before?.keys() ?? []) if (!objects.has(key)) this.#set(key, file, undefined);
    for (const [key, placed] of objects) {
      const versions = this.#set(key, file, placed);
      if (versions.length > 1 && !before?.has(key)) this.#contested.add(key);
    }
  }

  /** The file's own equal version of an object, else the object. */
  reuse(file: string, object: ModelObject): ModelObject {
    const own = this.#files.get(file)?.get(objectKey(object))?.object;
    return own && sameValue(own, object) ? own : object;
  }

  /** Whether the file has an object that is not among these. */
  loses(file: string, objects: ReadonlyMap<string, PlacedObject>): boolean {
    for (const key of this.#files.get(file)?.keys() ?? []) if (!objects.has(key)) return true;
    return false;
  }

  /** What counts of the file now, by objectKey(). */
  objectsOf(file: string): ReadonlyMap<string, PlacedObject> {
    return this.#files.get(file) ?? NOTHING;
  }

  /** Whether nothing has changed since the last take(). */
  get unchanged(): boolean {
    return this.#changes.empty;
  }

  /** What changed since the last call. */
  take(synced: boolean): ModelChanges {
    return this.#changes.take(synced);
  }

  /** Warnings about objects that have come to stand in several files since the last call and still do. */
  takeWarnings(): readonly SourceProblem[] {
    const warnings: SourceProblem[] = [];
    for (const key of this.#contested) {
      const [first, ...others] = this.#versions.get(key) ?? [];
      if (first) warnings.push(...others.map((other) => duplicate(first, other)));
    }
    this.#contested.clear();
    return warnings;
  }

  #set(key: string, file: string, placed: PlacedObject | undefined): readonly PlacedObject[] {
    const before = this.#versions.get(key) ?? [];
    const others = before.filter((version) => version.file !== file);
    const after = placed ? [placed, ...others].sort((a, b) => (a.file < b.file ? -1 : 1)) : others;
    if (after.length > 0) this.#versions.set(key, after);
    else this.#versions.delete(key);
    this.#changes.record(key, before[0]?.object, after[0]?.object);
    return after;
  }
}
