// SPDX-License-Identifier: Apache-2.0
// docs/behaviour.md answers for every row of the contract: it is served, and a test with its number in the title shows
// it; or it is not, and the document says why.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { namedPaths } from "./named-paths.ts";
import { root } from "./source-files.ts";

/** What a proxy on Linux answers for; the rest is kube-proxy's own inside, or of its IPVS mode. */
const ROWS = [
  ...range(1, 6), // what is proxied
  ...range(8, 12),
  ...range(15, 21), // which endpoints
  ...range(23, 29), // frontends, verdicts, masquerade
  31,
  ...range(33, 40),
  ...range(42, 46),
  ...range(48, 50),
  ...range(51, 56), // affinity
  ...range(57, 62), // flows that exist
];

const NOT_SERVED = "\n## Not served\n";

interface Row {
  readonly number: number;
  /** The whole line. */
  readonly text: string;
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Lines of tables that begin with a number, or with several: "| 53, 54 | ...". */
function rowsOf(text: string): readonly Row[] {
  return [...text.matchAll(/^\| (\d+(?:, \d+)*) \|.*$/gm)].flatMap(([line, numbers = ""]) =>
    numbers.split(", ").map((number) => ({ number: Number(number), text: line })),
  );
}

/** "row 34: ...", or the row as the first argument of a case. */
function showsRow(number: number, source: string): boolean {
  return new RegExp(`\\brow ${number}:|\\bquestion\\(${number},`).test(source);
}

function sourceOf(path: string): string {
  return existsSync(`${root}/${path}`) ? readFileSync(`${root}/${path}`, "utf8") : "";
}

describe("docs/behaviour.md", () => {
  const [served = "", notServed = ""] = readFileSync(`${root}/docs/behaviour.md`, "utf8").split(NOT_SERVED);
  const rows = rowsOf(served);

  test("every row of the contract is served or among those that are not", () => {
    const told = new Set([...rows, ...rowsOf(notServed)].map(({ number }) => number));
    expect(ROWS.filter((number) => !told.has(number))).toEqual([]);
  });

  test("every row that is served names a test, and has its number in a title there", () => {
    const lacking = rows.filter(({ number, text }) => {
      const files = namedPaths(text);
      return files.length === 0 || files.some((file) => !showsRow(number, sourceOf(file)));
    });
    expect(rows.length).toBeGreaterThan(30);
    expect(lacking.map(({ number, text }) => `${number}: ${namedPaths(text).join(" ")}`)).toEqual([]);
  });

  test("every row that is not served has its reason", () => {
    const bare = rowsOf(notServed).filter(({ text }) => !/^\| [\d, ]+ \| [^|]{20,} \|$/.test(text));
    expect(bare.map(({ number }) => number)).toEqual([]);
  });
});

test("a row without a title, or without a line, is found", () => {
  expect(rowsOf("| 1 | a |\n| 53, 54 | b |\n| row | c |").map(({ number }) => number)).toEqual([1, 53, 54]);
  expect(showsRow(3, 'test("row 34: it does", f)')).toBe(false);
  expect(showsRow(34, 'test("row 34: it does", f)')).toBe(true);
  expect(showsRow(34, "question(34, a)")).toBe(true);
});
