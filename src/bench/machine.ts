// SPDX-License-Identifier: Apache-2.0
// What the machine did to a measurement.

import { readFileSync } from "node:fs";

/** USER_HZ, in which the kernel tells times to processes: 100 wherever Linux runs Node.js. */
const MS_PER_TICK = 10;

/** Milliseconds of CPU time, of all CPUs together, that the hypervisor has given to others so far: steal of proc_stat(5). */
export function stolenCpuMs(stat: string = readFileSync("/proc/stat", "utf8")): number {
  const ticks = /^cpu +(?:\d+ +){7}(\d+)/m.exec(stat)?.[1];
  if (ticks === undefined) throw new Error("/proc/stat has no line of all CPUs with a column for steal");
  return Number(ticks) * MS_PER_TICK;
}
