// SPDX-License-Identifier: Apache-2.0
// Writes kernel settings below /proc and /sys. What cannot be written is a warning: containers and namespaces have most
// of it read-only, and the agent serves all the same.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { cpusIn, type KernelSettings, type KernelWrite, kernelWrites } from "./kernel-settings.ts";
import type { Log } from "./log.ts";

/** root: in which proc and sys are. */
export function applyKernelSettings(settings: KernelSettings, log: Log, root = "/"): void {
  const present = (file: string) => numberIn(join(root, file));
  for (const write of kernelWrites(settings, cpuCount(root), present)) apply(write, log, root);
}

function apply({ file, value, next }: KernelWrite, log: Log, root: string): void {
  const path = join(root, file);
  const before = numberIn(path);
  try {
    writeFileSync(path, String(value));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = "serving goes on without it; set it on the node itself if it is wanted";
    log.warn({ present: before, wanted: value, reason }, `${path} could not be set: ${hint}`);
    return;
  }
  log.info({ before, now: value }, `${path} is set`);
  if (next) apply(next, log, root);
}

function numberIn(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    // A write says why.
    return undefined;
  }
}

/** Those of the node: a process may be confined to a few of them, the table is everybody's. */
function cpuCount(root: string): number {
  try {
    return cpusIn(readFileSync(join(root, "sys/devices/system/cpu/online"), "utf8")) || cpus().length;
  } catch {
    return cpus().length; // no sysfs, which says no more
  }
}
