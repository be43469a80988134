// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { columns, fields } from "../../../src/cli/format/columns.ts";

test("columns are as wide as their widest cell and lines end without spaces", () => {
  const text = columns(
    ["SERVICE", "TYPE"],
    [
      ["default/web:http", "ClusterIP"],
      ["a/b", "LoadBalancer"],
    ],
  );
  expect(text).toBe(`SERVICE            TYPE
default/web:http   ClusterIP
a/b                LoadBalancer
`);
});

test("an empty cell is a dash, so that words keep their column", () => {
  expect(columns(["NODE", "ZONE", "STATE"], [["n1", "", "ready"]])).toBe("NODE   ZONE   STATE\nn1     -      ready\n");
});

test("fields align their values behind the longest key", () => {
  expect(
    fields([
      ["Mode", "ebpf"],
      ["Last sync", "never"],
      ["", "and no agent"],
    ]),
  ).toBe("Mode:        ebpf\nLast sync:   never\n             and no agent\n");
});
