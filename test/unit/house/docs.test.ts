// SPDX-License-Identifier: Apache-2.0
// README and docs name the file or test behind what they say: it must be there.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FOLDERS, namedPaths } from "./named-paths.ts";
import { root, sourceFiles } from "./source-files.ts";

const paths = sourceFiles(FOLDERS, /./).map(({ path }) => path);

test.each([
  "README.md",
  "CONTRIBUTING.md",
  "docs/architecture.md",
  "docs/annotations.md",
  "docs/behaviour.md",
  "docs/cli.md",
  "docs/metrics.md",
  "docs/migrate.md",
  "docs/configuration.md",
  "docs/install.md",
  "docs/kernels.md",
  "docs/upgrade.md",
  "docs/rolling-update.md",
  "docs/coexistence.md",
  "docs/operate.md",
  "docs/troubleshoot.md",
])("every path that %s names is there", (document) => {
  const named = namedPaths(readFileSync(`${root}/${document}`, "utf8"));
  expect(named.filter((pattern) => !paths.some((path) => matches(path, pattern)))).toEqual([]);
});

test("a path that is not there is found", () => {
  const named = namedPaths("See `src/agent`, `bpf/tc.bpf.c` and `test/netns/no-such*.test.ts` or build/bpf.");
  expect(named).toEqual(["src/agent", "bpf/tc.bpf.c", "test/netns/no-such*.test.ts"]);
  expect(named.map((pattern) => paths.some((path) => matches(path, pattern)))).toEqual([true, true, false]);
});

/** A path, a folder of it, or its beginning before a star. */
function matches(path: string, pattern: string): boolean {
  const [begin = "", ...rest] = pattern.split("*");
  if (rest.length > 0) return path.startsWith(begin) && path.endsWith(rest.at(-1) ?? "");
  return path === pattern || path.startsWith(`${pattern.replace(/\/$/, "")}/`);
}
