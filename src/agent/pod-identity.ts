// SPDX-License-Identifier: Apache-2.0
// By what the socket hooks can tell a pod's processes: its cgroup, where it has one of cgroup2, else (version 1, or both
// side by side) the network namespace of its processes.

import { readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEEPEST_LEVEL, type OptOutKey } from "../datapath/ebpf/opted-out.ts";
import { CGROUP2_SUPER_MAGIC } from "../datapath/places.ts";
import { netnsCookie } from "../libbpf/index.ts";

/** Of the root of a cgroup2 hierarchy, wherever and through whichever namespace it is mounted. */
const ROOT_INODE = 1n;
const NETNS_LEVEL = 0;

export interface PodIdentity {
  readonly keys: readonly OptOutKey[];
  /** Its processes tell it, and they may change: look again. */
  readonly byProcesses: boolean;
  /** Why it cannot be told, or not wholly. */
  readonly problem: string | undefined;
}

/** directories: its cgroups, of whichever version. hostCookie: of the namespace that no pod is told by. */
export function identifyPod(directories: readonly string[], hostCookie: bigint): PodIdentity {
  const byCgroup = directories.flatMap((directory) => cgroup2Key(directory) ?? []);
  const usable = byCgroup.filter(({ level }) => level > 0 && level <= DEEPEST_LEVEL);
  if (byCgroup.length > 0) {
    const problem = usable.length < byCgroup.length ? "its cgroup is too deep, or its mount hides the root" : undefined;
    return { keys: usable, byProcesses: false, problem };
  }
  const { cookies, problem } = cookiesBelow(directories, hostCookie);
  return { keys: cookies.map((id) => ({ id, level: NETNS_LEVEL })), byProcesses: directories.length > 0, problem };
}

/** undefined: of version 1, or gone. level 0: the root cannot be seen from here. */
function cgroup2Key(directory: string): OptOutKey | undefined {
  try {
    if (statfsSync(directory).type !== CGROUP2_SUPER_MAGIC) return undefined;
    const { ino, dev } = statSync(directory, { bigint: true });
    return { id: ino, level: levelOf(directory, dev) };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** How far below the root of its hierarchy; 0: a mount, or a namespace, ends before it. */
function levelOf(directory: string, device: bigint): number {
  let level = 0;
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    const { ino, dev } = statSync(path, { bigint: true });
    if (dev !== device) return 0;
    if (ino === ROOT_INODE) return level;
    level++;
  }
  return 0;
}

function cookiesBelow(directories: readonly string[], hostCookie: bigint): { cookies: bigint[]; problem?: string } {
  const seen = new Set<bigint>();
  const cookies: bigint[] = [];
  for (const pid of directories.flatMap(processesBelow)) {
    const path = `/proc/${pid}/ns/net`;
    try {
      const { ino } = statSync(path, { bigint: true });
      if (seen.has(ino)) continue;
      const cookie = netnsCookie(path);
      seen.add(ino); // not before: if this process ended, another one may still tell
      if (cookie !== hostCookie) cookies.push(cookie);
    } catch (error) {
      if (isGone(error)) continue;
      const problem = `the network namespace of its process ${pid} cannot be told: ${String(error)}`;
      if (["EACCES", "EPERM"].includes(String((error as NodeJS.ErrnoException).code))) return { cookies, problem };
      throw error;
    }
  }
  return { cookies };
}

/** Process ids in a cgroup and all below it; 0, which stands for one of another pid namespace, is left out. */
function processesBelow(directory: string): readonly number[] {
  try {
    const own = readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").map(Number);
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own.filter((pid) => pid > 0), ...below.flatMap(({ name }) => processesBelow(join(directory, name)))];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "ENODEV"].includes(String((error as NodeJS.ErrnoException).code));
}
