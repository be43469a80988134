// SPDX-License-Identifier: Apache-2.0
// Takes away what a plan's lab has made: processes, namespaces, cgroups, mounts, files. Synchronous, because it must also
// work while the process exits; goes on after a failure.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import type { Plan } from "./plan.ts";
import { allNetns } from "./topology.ts";

const NETNS = "/var/run/netns";
/** A killed process ends only when the kernel is through with its system call; loading BPF programs takes seconds. */
const BUSY_TIMEOUT_MS = 20_000;

/** Returns what could not be taken away; safe to call again. */
export function removeLab(plan: Plan): readonly unknown[] {
  const failures: unknown[] = [];
  const attempt = (action: () => void) => {
    try {
      action();
    } catch (error) {
      failures.push(error);
    }
  };
  attempt(() => killAll(plan.cgroup));
  attempt(() => removeCgroup(plan.cgroup));
  const netns = existsSync(NETNS) ? readdirSync(NETNS) : [];
  for (const name of allNetns(plan)) if (netns.includes(name)) attempt(() => command("ip", "netns", "del", name));
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  for (const { bpffs } of plan.nodes) if (mounts.includes(` ${bpffs} `)) attempt(() => command("umount", bpffs));
  // With a mount left below it, the files stay: they are the kernel's, and somebody must look.
  if (failures.length === 0) attempt(() => rmSync(plan.directory, { recursive: true, force: true }));
  return failures;
}

/** Reaches what our processes have started themselves. */
export function killAll(cgroup: string): void {
  if (!existsSync(cgroup)) return;
  if (existsSync(`${cgroup}/cgroup.kill`)) writeFileSync(`${cgroup}/cgroup.kill`, "1");
  else killOneByOne(cgroup);
}

/** Kernels before 5.14 cannot kill a cgroup. */
function killOneByOne(cgroup: string): void {
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) killOneByOne(`${cgroup}/${entry.name}`);
  }
  const pids = readFileSync(`${cgroup}/cgroup.procs`, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  for (const pid of pids) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error; // it ended meanwhile
    }
  }
}

function command(name: string, ...args: readonly string[]): void {
  execFileSync(name, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Children first. A cgroup is busy until its last process has ended. */
function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(`${path}/${entry.name}`);
  }
  for (const deadline = Date.now() + BUSY_TIMEOUT_MS; ; ) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      const busy = error instanceof Error && "code" in error && error.code === "EBUSY";
      killAll(path); // a process may have been on its way in when the others were killed
      if (!busy || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
