// SPDX-License-Identifier: Apache-2.0
// The log for people.

import { expect, test } from "vitest";
import { textLine } from "../../../src/agent/log.ts";

test("a line has time, level, message and fields, quoted only where blanks are", () => {
  const json = JSON.stringify({
    level: "warn",
    time: "2026-01-31T12:00:00.000Z",
    pid: 7,
    file: "a b.yaml",
    msg: "skipped",
  });
  expect(textLine(json)).toBe('2026-01-31T12:00:00.000Z WARN skipped pid=7 file="a b.yaml"\n');
});

test("an error with a code is said in a line", () => {
  const err = { type: "MapFullError", code: "PORTOLAN_MAP_FULL", message: "map is full", stack: "Error: x\n    at y" };
  const json = JSON.stringify({ level: "error", time: "t", err, service: "web", msg: "not published" });
  expect(textLine(json)).toBe("t ERROR not published: map is full service=web\n");
});

test("an error without a code is a defect and keeps its stack", () => {
  const json = JSON.stringify({ level: "error", time: "t", err: { stack: "Error: x\n    at y" }, msg: "failed" });
  expect(textLine(json)).toBe("t ERROR failed\nError: x\n    at y\n");
});
