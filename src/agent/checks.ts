// SPDX-License-Identifier: Apache-2.0
// Whether this node can carry the datapath at all: asked before anything is touched, answered with what to do.

import { existsSync, opendirSync, readFileSync, statSync } from "node:fs";
import { capabilityLack, missingCapabilities } from "../datapath/capabilities.ts";
import { mountPoints } from "../datapath/mounts.ts";
import {
  bpffsPlace,
  btfLack,
  CGROUP_SUPER_MAGIC,
  CGROUP2_SUPER_MAGIC,
  cgroup2Place,
  fileSystemType,
  type Place,
} from "../datapath/places.ts";
import { NodeError, UsageError } from "./errors.ts";

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
  const lack = capabilityLack(missingCapabilities(readFileSync("/proc/self/status", "utf8"))) ?? btfLack();
  if (lack !== undefined) throw new NodeError(lack);
  checkBpffs(options.bpffs);
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const cgroupRoot = directoryOf(cgroup2Place(options.cgroupRoot, mounts));
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
  directoryOf(bpffsPlace(dir));
}

function directoryOf(place: Place): string {
  if ("lack" in place) throw new NodeError(place.lack);
  return place.directory;
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
