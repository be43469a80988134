// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { stolenCpuMs } from "../../../src/bench/machine.ts";
import { quantile, summarize } from "../../../src/bench/record.ts";

test("a quantile is a value that was measured, by nearest rank", () => {
  const sorted = Array.from({ length: 1000 }, (_, n) => n + 1);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(sorted, share))).toEqual([1, 501, 991, 1000]);
  expect(() => quantile([], 0.5)).toThrow("no values");
});

test("a figure says how its runs are spread, in thousandths", () => {
  const head = { scenario: "sync", competitor: "portolan", params: { services: 1 }, metric: "cold_write", unit: "ms" };
  const spread = { median: 2.2, min: 1.001, max: 30, runs: 3 };
  expect(summarize(head, [30, 1.0011, 2.2])).toEqual({ ...head, ...spread });
});

test("CPU time that the hypervisor gave to others is read of all CPUs together", () => {
  const stat = "cpu  3978440 1406842 1555173 2333030 6795 0 96573 47121 7 8\ncpu0 1 2 3 4 5 6 7 9 0 0\nctxt 1\n";
  expect(stolenCpuMs(stat)).toBe(471_210);
  expect(() => stolenCpuMs("cpu0 1 2 3\n")).toThrow("/proc/stat has no line of all CPUs");
});
