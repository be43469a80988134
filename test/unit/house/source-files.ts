// SPDX-License-Identifier: Apache-2.0
// The files of this checkout that house tests look at.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../../..", import.meta.url));

export interface SourceFile {
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
}

/** Files below the folders whose names match, sorted by path. */
export function sourceFiles(folders: readonly string[], name: RegExp): readonly SourceFile[] {
  return folders
    .flatMap((folder) =>
      readdirSync(`${root}/${folder}`, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && name.test(entry.name))
        .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length).replace(/^\/+/, "")),
    )
    .sort()
    .map((path) => ({ path, text: readFileSync(`${root}/${path}`, "utf8") }));
}
