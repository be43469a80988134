// SPDX-License-Identifier: Apache-2.0
// The network namespaces of this machine: those that processes are in, and those that a CNI has mounted.

import { readdirSync, statSync } from "node:fs";

export interface Namespaces {
  /** All ways into each: a process may end, or a mount go, before it is opened. */
  readonly paths: readonly (readonly string[])[];
  /** Processes whose namespace this one may not see: needs CAP_SYS_PTRACE. */
  readonly hidden: number;
}

/** proc must be that of the host (hostPID), mounts a directory of bind mounts as ip-netns(8) and CNI runtimes make them. */
export function networkNamespaces(proc = "/proc", mounts = "/run/netns"): Namespaces {
  const found = new Map<number, string[]>();
  let hidden = 0;
  const look = (path: string): void => {
    try {
      const { ino } = statSync(path);
      const paths = found.get(ino);
      if (paths) paths.push(path);
      else found.set(ino, [path]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EACCES" || code === "EPERM") hidden++;
      else if (code !== "ENOENT" && code !== "ESRCH") throw error; // else the process has ended
    }
  };
  for (const name of namesIn(proc)) if (/^[1-9]/.test(name)) look(`${proc}/${name}/ns/net`);
  for (const name of namesIn(mounts)) look(`${mounts}/${name}`);
  return { paths: [...found.values()], hidden };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
