// SPDX-License-Identifier: Apache-2.0
// The threads of a process, and how the kernel schedules them.

import { readdirSync, readFileSync } from "node:fs";

/** sched(7) */
export const SCHED_OTHER = 0;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;

/** Thread ids of a process, its own first. */
export function threads(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Field 41 of stat, proc(5). */
export function schedulingPolicy(thread: number): number {
  const afterName = readFileSync(`/proc/${thread}/stat`, "utf8").replace(/^.*\) /s, "");
  return Number(afterName.split(" ")[41 - 3]);
}
