// SPDX-License-Identifier: Apache-2.0
// Which rows of docs/behaviour.md a test file shows: their numbers stand in titles, "row 34: ...", "rows 44 and 45: ...",
// "rows 34 to 38: ...", or as the first argument of question() in test/conformance.

/** A title's words for rows, as it has them, and their numbers. */
export interface RowTitle {
  readonly words: string;
  readonly rows: readonly number[];
}

export function rowTitles(source: string): readonly RowTitle[] {
  const code = source.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  const words = [...code.matchAll(/\brows? \d+(?:(?:, | and | to )\d+)*:/g)].map(([text]) => text);
  const asked = [...code.matchAll(/\bquestion\((\d+),/g)].map(([, row]) => `row ${row}:`);
  return [...new Set([...words, ...asked])].map((text) => ({ words: text, rows: rowsOf(text) }));
}

function rowsOf(words: string): readonly number[] {
  return words.split(/, | and /).flatMap((part) => {
    const [from = 0, to = from] = (part.match(/\d+/g) ?? []).map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}
