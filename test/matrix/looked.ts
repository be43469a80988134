// SPDX-License-Identifier: Apache-2.0
// In the guest: what the look at its kernel found, for tests that not every kernel allows.

import { readFileSync } from "node:fs";
import type { Mode } from "../../src/datapath/probe/answer.ts";
import type { KernelRecord } from "./kernel-record.ts";

export const looked: KernelRecord = JSON.parse(readFileSync(process.env.PORTOLAN_LOOK ?? "", "utf8")) as KernelRecord;

/** What needs a mode that this kernel cannot serve in is left out, and says so. */
export function isPossible(what: string, mode: Mode): boolean {
  const answer = looked.modes.find((one) => one.mode === mode);
  if (!answer?.usable) console.log(`matrix: SKIPPED ${what}: mode ${mode}: ${answer?.reason}`);
  return answer?.usable === true;
}

/** An emulated processor takes its time: hence the limits. */
export const PATIENTLY = {
  fileParallelism: false,
  pool: "forks",
  testTimeout: 180_000,
  hookTimeout: 600_000,
} as const;
