// SPDX-License-Identifier: Apache-2.0
// A manifest file of which something cannot be used, and what it held before -> what counts of it until it is mended.

import { objectKey } from "../model/changes.ts";
import type { Hidden } from "./manifest-document.ts";
import type { ManifestFile, PlacedObject } from "./manifest-file.ts";
import type { SourceProblem } from "./source.ts";

type PlacedObjects = ReadonlyMap<string, PlacedObject>;

export interface BelievedFile {
  /** By objectKey(). */
  readonly objects: PlacedObjects;
  /** Those of the file, saying what counts until then. */
  readonly problems: readonly SourceProblem[];
  /** A document does not parse: the file counts as it was, all of it. */
  readonly held: boolean;
  /** False: there may be an object in the file of which nothing is known. */
  readonly complete: boolean;
}

/**
 * earlier: what counted of the file until now, by objectKey(). A document that does not parse may be half of one: then
 * all of earlier stays, if there is any. An object that cannot be used stays as it was, and all others count as they
 * are. Where nobody can tell which object is meant, or what is still to come, none goes that the file no longer has.
 */
export function believe(file: ManifestFile, earlier: PlacedObjects): BelievedFile {
  const hidden = file.problems.map(({ hides }) => hides).filter((hides) => hides !== undefined);
  const held = earlier.size > 0 && hidden.includes("the file");
  const noneGoes = file.mayBeCut || hidden.includes("some object");
  const own = withHidden(file.objects, hidden, earlier);
  const others = noneGoes ? [...earlier].filter(([key]) => !own.has(key)) : [];
  const until = (hides: Hidden): string => {
    if (held) return "the file counts as it was before";
    const before = typeof hides === "object" && earlier.has(hides.key) ? ["the object counts as it was before"] : [];
    return [...before, ...(others.length > 0 ? ["what the file no longer has stays"] : [])].join(", ");
  };
  return {
    objects: held ? earlier : others.length > 0 ? new Map([...own, ...others]) : own,
    problems: file.problems.map(({ severity, place, message, hides }) => {
      const counts = hides ? until(hides) : "";
      return { severity, place, message: counts === "" ? message : `${message} (until then ${counts})` };
    }),
    held,
    complete: !noneGoes && hidden.every((hides) => typeof hides === "object" && earlier.has(hides.key)),
  };
}

function withHidden(objects: PlacedObjects, hidden: readonly Hidden[], earlier: PlacedObjects): PlacedObjects {
  const kept = hidden
    .map((hides) => (typeof hides === "object" ? earlier.get(hides.key) : undefined))
    .filter((placed) => placed !== undefined);
  if (kept.length === 0) return objects;
  return new Map([...objects, ...kept.map((placed) => [objectKey(placed.object), placed] as const)]);
}
