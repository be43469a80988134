// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LogFile } from "../../../src/agent/log-file.ts";

const scratch = mkdtempSync(join(tmpdir(), "pt-log-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const text = (directory: string, name: string) => readFileSync(join(directory, name), "utf8");

test("keeps the last lines, in two files of a size, over restarts", () => {
  const directory = join(scratch, "new", "state");
  {
    using file = new LogFile(directory, 12);
    for (const line of ["one\n", "two\n", "three\n"]) expect(file.append(line)).toBeUndefined();
    expect([text(directory, "agent.log.1"), text(directory, "agent.log")]).toEqual(["one\ntwo\n", "three\n"]);
  }
  using next = new LogFile(directory, 12);
  next.append("four\n");
  expect(text(directory, "agent.log")).toBe("three\nfour\n");
  next.append("a line of more than there is room for\n");
  next.append("five\n");
  expect(text(directory, "agent.log.1")).toBe("a line of more than there is room for\n");
  expect(text(directory, "agent.log")).toBe("five\n");
});

test("says once what keeps it from writing, and writes again when it can", () => {
  const place = join(scratch, "a-file");
  writeFileSync(place, "");
  using file = new LogFile(place);
  expect(file.append("lost\n")).toMatch(/EEXIST|ENOTDIR/);
  expect(file.append("lost\n")).toBeUndefined();
  rmSync(place);
  expect(file.append("kept\n")).toBeUndefined();
  expect(text(place, "agent.log")).toBe("kept\n");
});
