// SPDX-License-Identifier: Apache-2.0
// The log, for people and for machines.

import { expect, test } from "vitest";
import { openLog, textLine } from "../../../src/agent/log.ts";

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

/** What a log of this format says of the same things. */
function said(format: "json" | "text", level: string, later?: string): readonly string[] {
  const lines: string[] = [];
  const log = openLog(format, level, (line) => void lines.push(line));
  log.info({ device: "eth0", roles: "uplink" }, "attached");
  if (later !== undefined) log.level = later;
  log.debug("swept");
  log.error({ err: Object.assign(new Error("map is full"), { code: "PORTOLAN_MAP_FULL" }) }, "not published");
  return lines.map((line) => line.replace(/20\d\d-[-\dT:.]+Z/, "TIME"));
}

test("as text: a line each", () => {
  expect(said("text", "info")).toEqual([
    "TIME INFO attached device=eth0 roles=uplink\n",
    "TIME ERROR not published: map is full\n",
  ]);
});

test("as JSON: an object a line, with time, level by name, message, fields and the whole error", () => {
  const lines = said("json", "info");
  expect(lines.every((line) => line.endsWith("}\n"))).toBe(true);
  const [attached, failed] = lines.map((line) => JSON.parse(line));
  expect(attached).toEqual({ level: "info", time: "TIME", device: "eth0", roles: "uplink", msg: "attached" });
  expect(failed).toMatchObject({ level: "error", msg: "not published" });
  expect(failed.err).toMatchObject({ type: "Error", code: "PORTOLAN_MAP_FULL", message: "map is full" });
  expect(failed.err.stack).toContain("log.test.ts");
});

test("the level may change at any time", () => {
  expect(said("text", "info", "debug")).toHaveLength(3);
  expect(said("json", "debug", "error")).toHaveLength(2);
  expect(said("text", "silent")).toEqual([]);
});
