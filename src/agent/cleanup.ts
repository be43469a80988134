// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: the datapath of an agent that has stopped goes away.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type CleanupReport, cleanupPins } from "../datapath/ebpf/cleanup.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { removeAccepts } from "../datapath/netfilter/forward.ts";
import { findTables, type RuleTable } from "../datapath/netfilter/iptables.ts";
import { FAMILIES } from "../datapath/netfilter/kube-proxy.ts";
import { removeTranslation } from "../datapath/netfilter/translation.ts";
import { checkBpffs } from "./checks.ts";
import { NodeError } from "./errors.ts";
import { type HandBackOptions, handBack } from "./hand-back.ts";
import { lockPins } from "./lock.ts";

export interface CleanupResult extends CleanupReport {
  /** Chains of netfilter. */
  readonly chains: number;
  /** Flows that go on through our programs: then nothing has been taken away. */
  readonly left: number;
}

/**
 * handingBack: not before what has begun has ended, and a kube-proxy serves what begins. Throws NodeError while an agent runs on
 * these pins, or when there is no bpffs, or when rules could not be taken away.
 */
export async function cleanup(bpffs: string, handingBack?: Omit<HandBackOptions, "bpffs">): Promise<CleanupResult> {
  const directory = resolve(bpffs);
  checkBpffs(directory);
  const pins = pinsUnder(directory);
  if (!existsSync(pins.root)) return { links: 0, maps: 0, chains: 0, left: 0 };
  using _lock = lockPins(pins);
  const left = handingBack ? await handBack(pins, { ...handingBack, bpffs: directory }) : 0;
  if (left > 0) return { links: 0, maps: 0, chains: 0, left };
  // Rules first: while pins are there, a cleanup that failed can be tried again.
  const chains = await removeChains();
  return { ...cleanupPins(pins), chains, left };
}

async function removeChains(): Promise<number> {
  let removed = 0;
  const failures: unknown[] = [];
  const remove = async (tables: readonly RuleTable[], take: (table: RuleTable) => Promise<boolean>): Promise<void> => {
    for (const table of tables) {
      try {
        if (await take(table)) removed++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  for (const family of FAMILIES) {
    await remove(findTables(family, "filter"), removeAccepts);
    await remove(findTables(family, "nat"), removeTranslation);
  }
  if (failures.length > 0) throw new NodeError(`rules of ours stay in netfilter: ${failures.map(String).join("; ")}`);
  return removed;
}
