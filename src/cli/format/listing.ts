// SPDX-License-Identifier: Apache-2.0
// One listing, five ways to write it: table, wide, json, yaml, name. JSON and YAML are the rows themselves, so a row type
// is the documented, stable shape (docs/cli.md).

import { stringify } from "yaml";
import { columns } from "./columns.ts";

export const OUTPUT_FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export interface Column<Row> {
  readonly header: string;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  readonly cell: (row: Row) => string;
}

export interface Listing<Row> {
  /** What `-o name` prints. */
  readonly name: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
}

/** The whole output, newline at its end; "" for an empty listing in the formats for people. */
export function renderListing<Row>(listing: Listing<Row>, rows: readonly Row[], format: OutputFormat): string {
  switch (format) {
    case "json":
      return renderJson(rows);
    case "yaml":
      return stringify(rows);
    case "name":
      return rows.map((row) => `${listing.name(row)}\n`).join("");
    case "table":
      return renderTable(listing, rows, false);
    case "wide":
      return renderTable(listing, rows, true);
  }
}

export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function renderTable<Row>(listing: Listing<Row>, rows: readonly Row[], wide: boolean): string {
  if (rows.length === 0) return "";
  const shown = listing.columns.filter((column) => wide || !column.wide);
  return columns(
    shown.map((column) => column.header),
    rows.map((row) => shown.map((column) => column.cell(row))),
  );
}
