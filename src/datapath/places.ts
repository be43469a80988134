// SPDX-License-Identifier: Apache-2.0
// Directories of the kernel that the eBPF driver works in: where they are, or what to do that they are there.

import { existsSync, statfsSync, statSync } from "node:fs";
import { cgroup2Mount, mountPoints } from "./mounts.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
/** Where systemd has it beside version 1. */
const UNIFIED = "/sys/fs/cgroup/unified";
const KERNEL_BTF = "/sys/kernel/btf/vmlinux";

/** A directory, or a sentence: why there is none and what to do. */
export type Place = { readonly directory: string } | { readonly lack: string };

/** undefined: the kernel shows its types. */
export function btfLack(): string | undefined {
  if (existsSync(KERNEL_BTF)) return undefined;
  return `${KERNEL_BTF} is missing: mount sysfs on /sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y`;
}

/** dir: where a bpf file system is wanted; told by the command that mounts it. */
export function bpffsPlace(dir: string): Place {
  const type = fileSystemType(dir);
  if (type === BPF_FS_MAGIC) return { directory: dir };
  const mount = `mount -t bpf bpf ${dir}`;
  if (type === undefined) return { lack: `--bpffs ${dir} does not exist: mkdir -p ${dir} && ${mount}` };
  if (!statSync(dir).isDirectory()) return { lack: `--bpffs ${dir} is a file: name a directory for the mount` };
  return { lack: `no bpf file system is mounted at ${dir}: ${mount}` };
}

/** given: a cgroup2 directory, or one with a mount of cgroup2 in it: /sys/fs/cgroup of a node that has version 1 too. */
export function cgroup2Place(given: string | undefined, procMounts: string): Place {
  const root = given ?? cgroup2Mount(procMounts);
  if (root === undefined) {
    const place = mountPoints(procMounts, (type) => type === "cgroup").length > 0 ? UNIFIED : "/sys/fs/cgroup";
    const mount = `mkdir -p ${place} && mount -t cgroup2 cgroup2 ${place}`;
    return { lack: `cgroup2 is not mounted: ${mount}; where it is, name it with --cgroup-root` };
  }
  const type = fileSystemType(root);
  if (type === CGROUP2_SUPER_MAGIC) return { directory: root };
  if (type === undefined) return { lack: `--cgroup-root ${root} does not exist: make it, or name one that does` };
  const within = cgroup2Mount(procMounts, root);
  if (within !== undefined) return { directory: within };
  return { lack: `--cgroup-root ${root} is no cgroup2 directory: name one below the mount of type cgroup2` };
}

/** By its number in linux/magic.h; undefined: there is nothing of that name. */
export function fileSystemType(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  return statfsSync(path).type;
}
