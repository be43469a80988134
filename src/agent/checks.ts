// SPDX-License-Identifier: Apache-2.0
// Whether this node can carry the datapath at all: asked before anything is touched, answered with what to do.

import { existsSync, opendirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { cgroup2Mount, mountPoints } from "../datapath/mounts.ts";
import { NodeError, UsageError } from "./errors.ts";
import { missingCapabilities } from "./rights.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
/** Where systemd has it beside version 1. */
const UNIFIED = "/sys/fs/cgroup/unified";
const KERNEL_BTF = "/sys/kernel/btf/vmlinux";

export interface NodePlaces {
  /** The cgroup2 directory in use. */
  readonly cgroupRoot: string;
  /** Where kubelet keeps pods' cgroups, of either version. */
  readonly podCgroups: readonly string[];
  /** What may not be as it was meant. */
  readonly warnings: readonly string[];
}

/** Throws NodeError for the first thing that is missing. */
export function checkNode(options: {
  readonly bpffs: string;
  readonly cgroupRoot: string | undefined;
  readonly podCgroups: string | undefined;
}): NodePlaces {
  const missing = missingCapabilities(readFileSync("/proc/self/status", "utf8"));
  if (missing.length > 0) {
    throw new NodeError(`this process lacks ${missing.join(", ")}: run it as root or grant these capabilities`);
  }
  if (!existsSync(KERNEL_BTF)) {
    throw new NodeError(`${KERNEL_BTF} is missing: mount sysfs on /sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y`);
  }
  checkBpffs(options.bpffs);
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const cgroupRoot = findCgroupRoot(options.cgroupRoot, mounts);
  const podCgroups = findPodCgroups(options, cgroupRoot, mounts);
  return { cgroupRoot, podCgroups, warnings: options.cgroupRoot === undefined ? rootWarnings(cgroupRoot) : [] };
}

/** Throws UsageError unless it is a directory that can be read. */
export function checkManifests(dir: string): void {
  if (!existsSync(dir)) {
    throw new UsageError(
      `--manifests ${dir} does not exist: name the directory with the Service and EndpointSlice files`,
    );
  }
  if (!statSync(dir).isDirectory()) {
    throw new UsageError(`--manifests ${dir} is a file: name the directory that it is in`);
  }
  try {
    opendirSync(dir).closeSync();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--manifests ${dir} cannot be read by this process: ${reason}`, { cause });
  }
}

/** Throws NodeError with the command that mounts it. */
export function checkBpffs(dir: string): void {
  const type = fileSystemType(dir);
  if (type === BPF_FS_MAGIC) return;
  const mount = `mount -t bpf bpf ${dir}`;
  if (type === undefined) throw new NodeError(`--bpffs ${dir} does not exist: mkdir -p ${dir} && ${mount}`);
  if (!statSync(dir).isDirectory()) throw new NodeError(`--bpffs ${dir} is a file: name a directory for the mount`);
  throw new NodeError(`no bpf file system is mounted at ${dir}: ${mount}`);
}

/** given: a cgroup2 directory, or one with a mount of cgroup2 in it: /sys/fs/cgroup of a node that has version 1 too. */
function findCgroupRoot(given: string | undefined, mounts: string): string {
  const root = given ?? cgroup2Mount(mounts);
  if (root === undefined) {
    const place = version1Mounts(mounts).length > 0 ? UNIFIED : "/sys/fs/cgroup";
    const mount = `mkdir -p ${place} && mount -t cgroup2 cgroup2 ${place}`;
    throw new NodeError(`cgroup2 is not mounted: ${mount}; where it is, name it with --cgroup-root`);
  }
  const type = fileSystemType(root);
  if (type === CGROUP2_SUPER_MAGIC) return root;
  if (type === undefined) throw new NodeError(`--cgroup-root ${root} does not exist: make it, or name one that does`);
  const within = cgroup2Mount(mounts, root);
  if (within !== undefined) return within;
  throw new NodeError(`--cgroup-root ${root} is no cgroup2 directory: name one below the mount of type cgroup2`);
}

/** Only of a root that was found: who names another has reasons. The root of all has no type. */
function rootWarnings(cgroupRoot: string): readonly string[] {
  if (!existsSync(`${cgroupRoot}/cgroup.type`)) return [];
  const seen = `cgroup2 at ${cgroupRoot} is not the node's whole tree, as this process sees it`;
  return [
    `${seen}: only sockets below it are balanced; in a container mount the node's own and name it with --cgroup-root`,
  ];
}

function findPodCgroups(
  options: { readonly podCgroups: string | undefined; readonly cgroupRoot: string | undefined },
  cgroupRoot: string,
  mounts: string,
): readonly string[] {
  const given = options.podCgroups;
  if (given === undefined) return [cgroupRoot, ...memoryCgroupMount(mounts, options.cgroupRoot)];
  const type = fileSystemType(given);
  if (type === CGROUP_SUPER_MAGIC || type === CGROUP2_SUPER_MAGIC) return [given];
  if (type === undefined) throw new NodeError(`--pod-cgroups ${given} does not exist: make it, or name one that does`);
  throw new NodeError(
    `--pod-cgroups ${given} is no cgroup directory: name that which holds kubepods or kubepods.slice`,
  );
}

function version1Mounts(procMounts: string): readonly string[] {
  return mountPoints(procMounts, (type) => type === "cgroup");
}

/**
 * That of the version 1 controller that every kubelet needs, below the directory that was given if one is there: a container
 * has its own beside it. None where there is only cgroup2.
 */
function memoryCgroupMount(procMounts: string, given: string | undefined): readonly string[] {
  const isMemory = (type: string, options: string) => type === "cgroup" && options.split(",").includes("memory");
  const points = mountPoints(procMounts, isMemory);
  const within = points.filter((point) => given !== undefined && point.startsWith(`${given}/`));
  return (within.length > 0 ? within : points).slice(0, 1);
}

function fileSystemType(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  return statfsSync(path).type;
}
