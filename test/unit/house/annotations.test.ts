// SPDX-License-Identifier: Apache-2.0
// docs/annotations.md lists the keys of ours that objects may carry: each that the code reads, and none that it does not.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root, type SourceFile, sourceFiles } from "./source-files.ts";

const KEY = /^portolan\.dev\/[a-z][a-z-]*$/;

/** Whole strings of the code that are keys; an API version, which has a digit, is none. */
function keysRead(files: readonly SourceFile[]): readonly string[] {
  const quoted = files.flatMap(({ text }) => [...text.matchAll(/(["'`])(portolan\.dev\/.*?)\1/g)]);
  const keys = quoted.map((match) => match[2] ?? "").filter((key) => KEY.test(key));
  return [...new Set(keys)].sort();
}

/** Keys that are put together, which nobody finds. */
function keysMade(files: readonly SourceFile[]): readonly string[] {
  return files.filter(({ text }) => /portolan\.dev\/(\$\{|["'`])/.test(text)).map(({ path }) => path);
}

/** First cells of the tables. */
function keysListed(document: string): readonly string[] {
  return [...document.matchAll(/^\| `(portolan\.dev\/[^`]+)` \|/gm)].map((match) => match[1] ?? "").sort();
}

test("docs/annotations.md lists every key that src reads, and no other", () => {
  const files = sourceFiles(["src"], /\.ts$/);
  expect(keysMade(files)).toEqual([]);
  expect(keysListed(readFileSync(`${root}/docs/annotations.md`, "utf8"))).toEqual(keysRead(files));
});

test("a key is found where code reads it, and where a table lists it", () => {
  const text = `// "portolan.dev" alone\nat("portolan.dev/a-b"); const V = "portolan.dev/v1alpha1"; warn("set portolan.dev/c");`;
  expect(keysRead([{ path: "src/a.ts", text }])).toEqual(["portolan.dev/a-b"]);
  expect(keysMade([{ path: "src/b.ts", text: `at(\`portolan.dev/\${name}\`)` }])).toEqual(["src/b.ts"]);
  expect(keysMade([{ path: "src/b.ts", text: 'at("portolan.dev/" + name)' }])).toEqual(["src/b.ts"]);
  expect(keysListed("| `portolan.dev/a` | text `portolan.dev/b` |\nportolan.dev/c")).toEqual(["portolan.dev/a"]);
});
