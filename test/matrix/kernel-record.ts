// SPDX-License-Identifier: Apache-2.0
// What is on record of a kernel: what guest and test found out there. test/matrix/kernels has one file for each.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ModeAnswer } from "../../src/datapath/probe/answer.ts";
import type { Features, KernelLack, Probe } from "../../src/libbpf/index.ts";

export const KERNELS = ["5.10", "6.1", "6.12"] as const;
export type KernelVersion = (typeof KERNELS)[number];

/** Of the kernel, beside BPF, for other modes and for devices that nodes have. */
export const MODULES = ["nf_tables", "ip_tables", "ip_set", "ip_vs", "sctp", "8021q", "bonding"] as const;

export interface KernelRecord {
  /** uname -r */
  readonly release: string;
  readonly features: Features;
  /** By the object that misses it. */
  readonly lacks: Readonly<Record<string, readonly KernelLack[]>>;
  /** Loaded and attached, each alone. */
  readonly hooks: Readonly<Record<string, Probe>>;
  readonly modules: Readonly<Record<string, boolean>>;
  /** All of them, the best first. */
  readonly modes: readonly ModeAnswer[];
}

/** Throws where none was ever written. */
export function readKernelRecord(version: string): KernelRecord {
  return JSON.parse(readFileSync(join(import.meta.dirname, "kernels", `${version}.json`), "utf8")) as KernelRecord;
}
