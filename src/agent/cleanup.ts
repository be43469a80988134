// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: the datapath of an agent that has stopped goes away.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type CleanupReport, cleanupPins } from "../datapath/ebpf/cleanup.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { removeAccepts } from "../datapath/netfilter/forward.ts";
import { findFilterTables } from "../datapath/netfilter/iptables.ts";
import { checkBpffs } from "./checks.ts";
import { NodeError } from "./errors.ts";
import { lockPins } from "./lock.ts";

export interface CleanupResult extends CleanupReport {
  /** Chains of netfilter. */
  readonly chains: number;
}

/** Throws NodeError while an agent runs on these pins, or when there is no bpffs, or when rules could not be taken away. */
export async function cleanup(bpffs: string): Promise<CleanupResult> {
  const directory = resolve(bpffs);
  checkBpffs(directory);
  const pins = pinsUnder(directory);
  if (!existsSync(pins.root)) return { links: 0, maps: 0, chains: 0 };
  using _lock = lockPins(pins);
  // Rules first: while pins are there, a cleanup that failed can be tried again.
  const chains = await removeChains();
  return { ...cleanupPins(pins), chains };
}

async function removeChains(): Promise<number> {
  let removed = 0;
  const failures: unknown[] = [];
  for (const table of [...findFilterTables(4), ...findFilterTables(6)]) {
    try {
      if (await removeAccepts(table)) removed++;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new NodeError(`rules of ours stay in netfilter: ${failures.map(String).join("; ")}`);
  return removed;
}
