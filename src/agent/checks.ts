// SPDX-License-Identifier: Apache-2.0
// Whether this node can carry the datapath at all: asked before anything is touched, answered with what to do.

import { existsSync, readFileSync, statfsSync } from "node:fs";
import { NodeError } from "./errors.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
const CGROUP2_SUPER_MAGIC = 0x63677270;
const KERNEL_BTF = "/sys/kernel/btf/vmlinux";

const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
const CAP_BPF = 39;

/** Throws NodeError for the first thing that is missing. Returns the cgroup root in use. */
export function checkNode(options: { bpffs: string; cgroupRoot: string | undefined }): { cgroupRoot: string } {
  const missing = missingCapabilities(readFileSync("/proc/self/status", "utf8"));
  if (missing.length > 0) {
    throw new NodeError(`this process lacks ${missing.join(", ")}: run it as root or grant these capabilities`);
  }
  if (!existsSync(KERNEL_BTF)) {
    throw new NodeError(`${KERNEL_BTF} is missing: the kernel needs CONFIG_DEBUG_INFO_BTF=y`);
  }
  checkBpffs(options.bpffs);
  return { cgroupRoot: findCgroupRoot(options.cgroupRoot) };
}

/** Throws NodeError with the command that mounts it. */
export function checkBpffs(dir: string): void {
  const type = fileSystemType(dir);
  if (type === BPF_FS_MAGIC) return;
  const mount = `mount -t bpf bpf ${dir}`;
  if (type === undefined) throw new NodeError(`--bpffs ${dir} does not exist: mkdir -p ${dir} && ${mount}`);
  throw new NodeError(`no bpf file system is mounted at ${dir}: ${mount}`);
}

/** Names of the capabilities that serving traffic takes and CapEff of /proc/self/status does not have. */
export function missingCapabilities(procStatus: string): readonly string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(procStatus)?.[1] ?? "0"}`);
  const has = (capability: number): boolean => ((effective >> BigInt(capability)) & 1n) === 1n;
  const missing: string[] = [];
  if (!has(CAP_NET_ADMIN)) missing.push("CAP_NET_ADMIN");
  // Kernels before 5.8 know neither; there, and where it is granted, CAP_SYS_ADMIN stands for both.
  if (!has(CAP_BPF) && !has(CAP_SYS_ADMIN)) missing.push("CAP_BPF");
  if (!has(CAP_PERFMON) && !has(CAP_SYS_ADMIN)) missing.push("CAP_PERFMON");
  return missing;
}

function findCgroupRoot(given: string | undefined): string {
  const root = given ?? cgroup2Mount(readFileSync("/proc/self/mounts", "utf8"));
  if (root === undefined) {
    throw new NodeError(
      "cgroup2 is not mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup, or name it with --cgroup-root",
    );
  }
  if (fileSystemType(root) === CGROUP2_SUPER_MAGIC) return root;
  throw new NodeError(`--cgroup-root ${root} is no cgroup2 directory: name one below the mount of type cgroup2`);
}

/** The first mount point of type cgroup2; /proc/mounts writes blanks in octal. */
export function cgroup2Mount(procMounts: string): string | undefined {
  const mount = procMounts.split("\n").find((line) => line.split(" ")[2] === "cgroup2");
  return mount?.split(" ")[1]?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function fileSystemType(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  return statfsSync(path).type;
}
