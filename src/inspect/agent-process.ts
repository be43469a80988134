// SPDX-License-Identifier: Apache-2.0
// Whether an agent runs, by the lock that it holds on its pins from start to end: no clock tells, for clocks jump.

import { readFileSync, statSync } from "node:fs";

/** Whether the process, as this pid namespace counts, has the lock of the directory. */
export function holdsLock(pid: number, directory: string): boolean {
  const { dev, ino } = statSync(directory, { bigint: true });
  return lockHolder(readFileSync("/proc/locks", "utf8"), dev, ino) === pid;
}

/** Of a flock(2), in the text of /proc/locks: `1: FLOCK  ADVISORY  WRITE 4711 00:1c:5678 0 EOF`, device in hexadecimal. */
export function lockHolder(locks: string, dev: bigint, ino: bigint): number | undefined {
  const hex = (part: bigint) => part.toString(16).padStart(2, "0");
  const place = `${hex(major(dev))}:${hex(minor(dev))}:${ino}`;
  for (const line of locks.split("\n")) {
    const [, kind, , , pid, where] = line.split(/ +/); // "1: -> FLOCK": that one waits
    if (kind === "FLOCK" && where === place) return Number(pid);
  }
  return undefined;
}

/** As makedev(3) puts them together. */
function major(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
}

function minor(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
}
