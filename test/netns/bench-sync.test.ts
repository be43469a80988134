// SPDX-License-Identifier: Apache-2.0
// `portolan bench sync`, small: what it measures is for benchmarks to say; here, that it measures all it names.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { BenchRecord } from "../../src/bench/record.ts";
import { run } from "../../src/demo/lab/run.ts";
import { portolanCommand } from "../../src/demo/portolan.ts";

const METRICS = [
  "cold_compile",
  "cold_write",
  "change_p50",
  "change_p99",
  "change_max",
  "change_cpu_stolen",
  "restart_adopt_and_sync",
  "restart_writes",
];

test("every change is read back by another process, and an unchanged restart writes nothing", async () => {
  const out = mkdtempSync("/tmp/pt-bench-");
  try {
    const flags = [
      "--services",
      "20,30",
      "--endpoints",
      "3",
      "--changes",
      "40",
      "--no-memory",
      "-o",
      "json",
      "--out",
      out,
    ];
    const printed = await run([...portolanCommand(), "bench", "sync", ...flags]);
    const records = JSON.parse(printed) as readonly BenchRecord[];
    expect(records.map(({ params, metric }) => `${params.services} ${metric}`)).toEqual([
      ...METRICS.map((metric) => `20 ${metric}`),
      ...METRICS.map((metric) => `30 ${metric}`),
    ]);
    expect(records.filter(({ metric }) => metric === "restart_writes").map(({ median }) => median)).toEqual([0, 0]);
    expect(readFileSync(join(out, "sync.json"), "utf8")).toBe(printed);
  } finally {
    rmSync(out, { recursive: true });
  }
});
