// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: the datapath of an agent that has stopped goes away.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type CleanupReport, cleanupPins } from "../datapath/ebpf/cleanup.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { removeAccepts } from "../datapath/netfilter/forward.ts";
import { findFilterTables } from "../datapath/netfilter/iptables.ts";
import { checkBpffs } from "./checks.ts";
import { lockPins } from "./lock.ts";

export interface CleanupResult extends CleanupReport {
  /** Chains of netfilter. */
  readonly chains: number;
}

/** Throws NodeError while an agent runs on these pins, or when there is no bpffs; IptablesError. */
export async function cleanup(bpffs: string): Promise<CleanupResult> {
  const directory = resolve(bpffs);
  checkBpffs(directory);
  const pins = pinsUnder(directory);
  if (!existsSync(pins.root)) return { links: 0, maps: 0, chains: await removeChains() };
  using _lock = lockPins(pins);
  return { ...cleanupPins(pins), chains: await removeChains() };
}

async function removeChains(): Promise<number> {
  let removed = 0;
  for (const table of [...findFilterTables(4), ...findFilterTables(6)]) if (await removeAccepts(table)) removed++;
  return removed;
}
