// SPDX-License-Identifier: Apache-2.0
// docs/behaviour.md answers for every row of the contract, once: it is served, tests with its number in a title show it,
// and one of them fails where the row is switched off (test/mutants); or it is not, and the document says why.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ROW_MUTANTS } from "../../mutants/rows.ts";
import { rowTitles } from "../../support/row-titles.ts";
import { namedPaths } from "./named-paths.ts";
import { root } from "./source-files.ts";

/** Sections 1.1 to 1.6 of the contract, and of 1.7 the latency and the configuration. */
const ROWS = [...Array.from({ length: 72 }, (_, i) => i + 1), 81, 83];

const NOT_SERVED = "\n## Not served\n";

interface Row {
  readonly number: number;
  /** The whole line. */
  readonly text: string;
}

/** Lines of tables that begin with a number, or with several: "| 53, 54 | ...". */
function rowsOf(text: string): readonly Row[] {
  return [...text.matchAll(/^\| (\d+(?:, \d+)*) \|.*$/gm)].flatMap(([line, numbers = ""]) =>
    numbers.split(", ").map((number) => ({ number: Number(number), text: line })),
  );
}

function showsRow(number: number, source: string): boolean {
  return rowTitles(source).some(({ rows }) => rows.includes(number));
}

function sourceOf(path: string): string {
  return existsSync(`${root}/${path}`) ? readFileSync(`${root}/${path}`, "utf8") : "";
}

describe("docs/behaviour.md", () => {
  const [before = "", notServed = ""] = readFileSync(`${root}/docs/behaviour.md`, "utf8").split(NOT_SERVED);
  const served = rowsOf(before);
  const told = [...served, ...rowsOf(notServed)].map(({ number }) => number);

  test("every row of the contract stands there once: served, or not", () => {
    expect([...told].sort((a, b) => a - b)).toEqual(ROWS);
  });

  test("every row that is served names tests, and has its number in a title of each", () => {
    const lacking = served.flatMap(({ number, text }) => {
      const files = namedPaths(text).filter((path) => path.startsWith("test/"));
      const silent = files.filter((file) => !showsRow(number, sourceOf(file)));
      return files.length === 0 ? [`${number}: names no test`] : silent.map((file) => `${number}: ${file}`);
    });
    expect(lacking).toEqual([]);
  });

  test("every row that is served is switched off in test/mutants, for a test that it names", () => {
    const lacking = served.filter(
      ({ number, text }) =>
        !ROW_MUTANTS.some((mutant) => mutant.row === number && namedPaths(text).includes(mutant.test)),
    );
    expect(lacking.map(({ number }) => number)).toEqual([]);
  });

  test("every row that is not served has its reason", () => {
    const bare = rowsOf(notServed).filter(({ text }) => !/^\| [\d, ]+ \| [^|]{20,} \|$/.test(text));
    expect(bare.map(({ number }) => number)).toEqual([]);
  });
});

test("what a row's mutant replaces stands in its file, once", () => {
  const stale = ROW_MUTANTS.filter(({ file, from }) => sourceOf(file).split(from).length !== 2);
  expect(stale.map(({ row, file, from }) => `${row}: ${file}: ${from}`)).toEqual([]);
});

test("a row without a title, or without a line, is found", () => {
  expect(rowsOf("| 1 | a |\n| 53, 54 | b |\n| row | c |").map(({ number }) => number)).toEqual([1, 53, 54]);
  expect(showsRow(3, 'test("row 34: it does", f)')).toBe(false);
  expect(showsRow(34, 'test("row 34: it does", f)')).toBe(true);
  expect(showsRow(34, "question(34, a)")).toBe(true);
  expect(showsRow(34, "// row 34: it does")).toBe(false);
  const shown = [33, 34, 37, 38, 39, 44].filter((row) => showsRow(row, 'describe("rows 34 to 38 and 44: it does", f)'));
  expect(shown).toEqual([34, 37, 38, 44]);
});
