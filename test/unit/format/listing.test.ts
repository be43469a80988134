// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type Listing, type OutputFormat, renderListing } from "../../../src/cli/format/listing.ts";

interface Row {
  readonly name: string;
  readonly port: number;
  readonly id: number;
}

const LISTING: Listing<Row> = {
  name: (row) => row.name,
  columns: [
    { header: "NAME", cell: (row) => row.name },
    { header: "PORT", cell: (row) => String(row.port) },
    { header: "ID", wide: true, cell: (row) => String(row.id) },
  ],
};
const ROWS: readonly Row[] = [
  { name: "web", port: 80, id: 7 },
  { name: "dns", port: 53, id: 12 },
];

test.each<[OutputFormat, string]>([
  ["table", "NAME   PORT\nweb    80\ndns    53\n"],
  ["wide", "NAME   PORT   ID\nweb    80     7\ndns    53     12\n"],
  ["name", "web\ndns\n"],
  ["yaml", "- name: web\n  port: 80\n  id: 7\n- name: dns\n  port: 53\n  id: 12\n"],
  [
    "json",
    `[
  {
    "name": "web",
    "port": 80,
    "id": 7
  },
  {
    "name": "dns",
    "port": 53,
    "id": 12
  }
]
`,
  ],
])("a listing as %s", (format, expected) => {
  expect(renderListing(LISTING, ROWS, format)).toBe(expected);
});

test.each<[OutputFormat, string]>([
  ["table", ""],
  ["wide", ""],
  ["name", ""],
  ["json", "[]\n"],
  ["yaml", "[]\n"],
])("an empty listing as %s is %j", (format, expected) => {
  expect(renderListing(LISTING, [], format)).toBe(expected);
});
