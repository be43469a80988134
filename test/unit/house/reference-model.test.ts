// SPDX-License-Identifier: Apache-2.0
// The reference model is the judge of what is in src: it takes nothing from there, nor from anybody.

import { posix } from "node:path";
import { expect, test } from "vitest";
import { type SourceFile, sourceFiles } from "./source-files.ts";

const FOLDER = "test/support/model";

/** Every import that leads out of the folder, packages included. */
function strangers({ path, text }: SourceFile): readonly string[] {
  const named = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g);
  return [...named]
    .map((match) => match[1] ?? "")
    .filter((target) => !target.startsWith(".") || !posix.join(posix.dirname(path), target).startsWith(`${FOLDER}/`));
}

test("the reference model imports only itself", () => {
  const files = sourceFiles([FOLDER], /\.ts$/);
  expect(files.length).toBeGreaterThan(3);
  expect(files.flatMap(strangers)).toEqual([]);
});

test.each([
  'import { parseIp } from "../../../src/model/ip.ts";',
  'import { isIP } from "node:net";',
  'const { serve } = await import("../cluster.ts");',
])("%s is found", (text) => {
  expect(strangers({ path: `${FOLDER}/a.ts`, text })).toHaveLength(1);
});
