// SPDX-License-Identifier: Apache-2.0
// README and docs name the file or test behind what they say: it must be there.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root, sourceFiles } from "./source-files.ts";

const FOLDERS = ["src", "test", "bpf", "native", "docs", "examples", "deploy"];
const paths = sourceFiles(FOLDERS, /./).map(({ path }) => path);

test.each(["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/behaviour.md", "docs/cli.md"])(
  "every path that %s names is there",
  (document) => {
    const named = namedPaths(readFileSync(`${root}/${document}`, "utf8"));
    expect(named.filter((pattern) => !paths.some((path) => matches(path, pattern)))).toEqual([]);
  },
);

test("a path that is not there is found", () => {
  const named = namedPaths("See `src/agent`, `bpf/tc.bpf.c` and `test/netns/no-such*.test.ts` or build/bpf.");
  expect(named).toEqual(["src/agent", "bpf/tc.bpf.c", "test/netns/no-such*.test.ts"]);
  expect(named.map((pattern) => paths.some((path) => matches(path, pattern)))).toEqual([true, true, false]);
});

test("every file that docs/behaviour.md names for a row has a test with the row's number in its title", () => {
  const lines = readFileSync(`${root}/docs/behaviour.md`, "utf8").matchAll(/^\| (\d+) \|.*$/gm);
  const pairs = [...lines].flatMap(([line, row]) => namedPaths(line).map((file) => ({ row, file })));
  expect(pairs.length).toBeGreaterThan(30);
  const lacking = pairs.filter(({ row, file }) => {
    // "row 34: ...", or the row as the first argument of a case
    return !new RegExp(`\\brow ${row}:|\\bquestion\\(${row},`).test(readFileSync(`${root}/${file}`, "utf8"));
  });
  expect(lacking).toEqual([]);
});

/** Words in code quotes that begin with one of our folders. */
function namedPaths(text: string): readonly string[] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
  return quoted.filter((word) => /^[\w./*-]+$/.test(word) && FOLDERS.some((folder) => word.startsWith(`${folder}/`)));
}

/** A path, a folder of it, or its beginning before a star. */
function matches(path: string, pattern: string): boolean {
  const [begin = "", ...rest] = pattern.split("*");
  if (rest.length > 0) return path.startsWith(begin) && path.endsWith(rest.at(-1) ?? "");
  return path === pattern || path.startsWith(`${pattern.replace(/\/$/, "")}/`);
}
