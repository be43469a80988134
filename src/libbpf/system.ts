// SPDX-License-Identifier: Apache-2.0
// What belongs to the machine rather than to one map or program.

import { statSync } from "node:fs";
import { BpfError } from "./errors.ts";
import { addon } from "./native.ts";
import type { TcDirection } from "./types.ts";

/** Version of the libbpf in use, "1.1". */
export function libbpfVersion(): string {
  return addon().libbpfVersion.replace(/^v/, "");
}

/** CPUs that may ever be there: the number of values a per-CPU map returns. */
export function possibleCpus(): number {
  return addon().possibleCpus;
}

/** Settles once every program that was running at the call has finished: what they could still see may be freed. */
export function rcuSync(): Promise<void> {
  return addon().rcuSync();
}

/**
 * Takes an exclusive lock on a directory, a bpffs's too, until disposed or the process ends. Throws BpfError EAGAIN,
 * whose hint names the holder's process id, when it is taken.
 */
export function lockDirectory(path: string): Disposable {
  const release = addon().lockDirectory(path);
  return { [Symbol.dispose]: release };
}

/**
 * From now on no other thread of this process takes the CPU from the calling one by waking up (SCHED_BATCH, sched(7));
 * threads that are started later do. Throws BpfError, EPERM where a seccomp filter forbids it.
 */
export function batchOtherThreads(): void {
  addon().batchOtherThreads();
}

/**
 * A network namespace as bpf_get_netns_cookie() names it: that at this path, such as /proc/1/ns/net, or this process's. Before
 * Linux 5.14, where nothing else names it, its inode: no other has that as long as this one is there.
 * Throws BpfError: ENOENT when nothing is there, EPERM without CAP_SYS_ADMIN to enter it.
 */
export function netnsCookie(path?: string): bigint {
  try {
    return addon().netnsCookie(path);
  } catch (error) {
    if (!(error instanceof BpfError) || error.code !== "ENOPROTOOPT") throw error;
    return statSync(path ?? "/proc/self/ns/net", { bigint: true }).ino;
  }
}

/**
 * Names of the programs that run when a socket of this cgroup2 directory connects, its parents' included: as the kernel keeps
 * them, 15 characters; "" of those that only CAP_SYS_ADMIN may look at. Throws BpfError.
 */
export function connectPrograms(cgroup: string): readonly string[] {
  return addon().connectPrograms(cgroup);
}

/**
 * Names of the programs for devices' packets (clsact, TCX) that are loaded on this machine, as the kernel keeps them. Throws
 * BpfError, EPERM without CAP_SYS_ADMIN.
 */
export function tcPrograms(): readonly string[] {
  return addon().tcPrograms();
}

/** Takes a clsact filter away if attachTc() put it there with a program of this name; false: there is none. */
export function detachTc(ifindex: number, direction: TcDirection, priority: number, program: string): boolean {
  return addon().detachTc(ifindex, direction, priority, program);
}
