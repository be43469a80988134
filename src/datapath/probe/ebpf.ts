// SPDX-License-Identifier: Apache-2.0
// Whether the eBPF driver could serve here: rights, directories, and a kernel that has what the programs call. Each thing is
// tried on a small scale; the programs themselves, which take the kernel a second, are not loaded.

import { readFileSync } from "node:fs";
import { type KernelLack, kernelLacks, probeFeatures } from "../../libbpf/index.ts";
import { capabilityLack, missingCapabilities } from "../capabilities.ts";
import { bpfObjectPath } from "../ebpf/programs.ts";
import { bpffsPlace, btfLack, cgroup2Place, type Place } from "../places.ts";
import { answer, type ModeAnswer } from "./answer.ts";

/** Where the eBPF driver is to work, as the agent's flags have it. */
export interface EbpfPlaces {
  readonly bpffs: string;
  /** undefined: where cgroup2 is mounted. */
  readonly cgroupRoot: string | undefined;
}

export interface EbpfFacts {
  readonly missingCapabilities: readonly ReturnType<typeof missingCapabilities>[number][];
  /** A sentence; undefined: the kernel shows its types. */
  readonly btf: string | undefined;
  readonly bpffs: Place;
  readonly cgroup: Place;
  /** undefined: could not be asked, for want of capabilities. */
  readonly kernel: KernelFacts | undefined;
}

interface KernelFacts {
  /** What it says to the least of what is needed, where it says no: "EPERM: needs CAP_BPF". */
  readonly refused: readonly string[];
  readonly lacks: readonly KernelLack[];
}

/** Objects without which nothing is served; the others are done without. */
const OBJECTS = ["cgroup", "tc", "sweep"] as const;
/** The programs call it only where it is (has_set_retval). */
const DONE_WITHOUT: ReadonlySet<string> = new Set(["bpf_set_retval"]);

export function probeEbpf(places: EbpfPlaces): ModeAnswer {
  return judgeEbpf(ebpfFacts(places));
}

function ebpfFacts(places: EbpfPlaces): EbpfFacts {
  const missing = missingCapabilities(readFileSync("/proc/self/status", "utf8"));
  return {
    missingCapabilities: missing,
    btf: btfLack(),
    bpffs: bpffsPlace(places.bpffs),
    cgroup: cgroup2Place(places.cgroupRoot, readFileSync("/proc/self/mounts", "utf8")),
    kernel: missing.length > 0 ? undefined : kernelFacts(),
  };
}

function kernelFacts(): KernelFacts {
  const { cgroupSockAddr, mmapableArrays } = probeFeatures();
  const refused = [cgroupSockAddr, mmapableArrays].filter(({ supported }) => !supported).map(({ reason }) => reason);
  return { refused, lacks: OBJECTS.flatMap((name) => kernelLacks(bpfObjectPath(name))) };
}

/** Pure. */
export function judgeEbpf({ missingCapabilities: missing, btf, bpffs, cgroup, kernel }: EbpfFacts): ModeAnswer {
  const lacking = [...new Set(kernel?.lacks.map(nameOf))].filter((name) => !DONE_WITHOUT.has(name));
  const lacks = [
    capabilityLack(missing),
    btf,
    lackOf(bpffs),
    lackOf(cgroup),
    ...(kernel?.refused ?? []).map((said) => `the kernel refuses the least of programs: ${said}`),
    lacking.length === 0 ? undefined : `this kernel has no ${listed(lacking)}: boot Linux 6.1 or newer`,
  ].filter((lack) => lack !== undefined);
  return answer("ebpf", lacks, "the kernel has all that the programs call", {
    missingCapabilities: missing.length === 0 ? undefined : missing,
    missingInKernel: lacking.length === 0 ? undefined : lacking,
    bpffs: "lack" in bpffs ? undefined : bpffs.directory,
    cgroupRoot: "lack" in cgroup ? undefined : cgroup.directory,
  });
}

/** As a sentence can use it: a helper has its name from the start. */
function nameOf({ kind, name }: KernelLack): string {
  return kind === "helper" ? name : `${kind} type ${name}`;
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and no ${last}`;
}

function lackOf(place: Place): string | undefined {
  return "lack" in place ? place.lack : undefined;
}
