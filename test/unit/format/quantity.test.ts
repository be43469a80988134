// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { formatAge, formatFill, formatShare, formatTime } from "../../../src/cli/format/quantity.ts";

test.each([
  [-3, "0s"],
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [3599, "59m"],
  [3600, "1h"],
  [12_300, "3h25m"],
  [172_800, "2d"],
  [190_800, "2d5h"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatAge(seconds)).toBe(text);
});

test("shares, fills and times read as people write them", () => {
  expect(formatShare(1 / 3)).toBe("33.3%");
  expect(formatShare(null)).toBe("");
  expect(formatFill(512, 2048)).toBe("512/2048 (25.0%)");
  expect(formatTime(1_795_271_993_123)).toBe("2026-11-21T14:39:53Z");
});
