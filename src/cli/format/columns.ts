// SPDX-License-Identifier: Apache-2.0
// Text in columns as kubectl prints it: no borders, two or more spaces between cells, one line an entry, made for grep and awk.

const GAP = "   ";

/** Rows of cells under a header; an empty cell becomes "-", so that the n-th word of a line is always the n-th column. */
export function columns(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map((cell) => cell || "-"))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => formatLine(line, widths)).join("");
}

function formatLine(line: readonly string[], widths: readonly number[]): string {
  const padded = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  return `${padded.join(GAP).trimEnd()}\n`;
}

/** `Key:   value` lines for one object; an empty key goes on with the value above it. */
export function fields(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([key]) => key.length + 1));
  return pairs.map(([key, value]) => formatLine([key && `${key}:`, value], [width, 0])).join("");
}
