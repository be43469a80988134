// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: the datapath of an agent that has stopped goes away.

import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { resolve } from "node:path";
import { type CleanupReport, cleanupPins } from "../datapath/ebpf/cleanup.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { removeAccepts } from "../datapath/netfilter/forward.ts";
import { findTables, type RuleTable } from "../datapath/netfilter/iptables.ts";
import { FAMILIES } from "../datapath/netfilter/kube-proxy.ts";
import { removeTranslation } from "../datapath/netfilter/translation.ts";
import type { RuleSettings } from "../datapath/rules/writer.ts";
import { everyWriter, type RuleMode } from "../datapath/rules/writers.ts";
import { checkBpffs } from "./checks.ts";
import { NodeError } from "./errors.ts";
import { type HandBackOptions, handBack } from "./hand-back.ts";
import { lockPins } from "./lock.ts";

export interface CleanupResult extends CleanupReport {
  /** Chains of netfilter. */
  readonly chains: number;
  /** Flows that go on through our programs: then nothing has been taken away. */
  readonly left: number;
  /** Those whose rules are gone. */
  readonly modes: readonly RuleMode[];
}

/** Of modes that are only taken away. */
const NO_SETTINGS: RuleSettings = {
  families: FAMILIES,
  masqueradeAll: false,
  masqueradeMark: 0,
  forwardMark: 0,
  localhostNodePorts: false,
};

/**
 * handingBack: not before what has begun has ended, and a kube-proxy serves what begins. Throws NodeError while an agent runs on
 * these pins, or when there is no bpffs, or when rules could not be taken away.
 */
export async function cleanup(bpffs: string, handingBack?: Omit<HandBackOptions, "bpffs">): Promise<CleanupResult> {
  const directory = resolve(bpffs);
  const modes = handingBack ? [] : await removeModes();
  if (modes.length === 0) checkBpffs(directory);
  const pins = pinsUnder(directory);
  if (!existsSync(pins.root)) return { links: 0, maps: 0, chains: 0, left: 0, modes };
  using _lock = lockPins(pins);
  const left = handingBack ? await handBack(pins, { ...handingBack, bpffs: directory }) : 0;
  if (left > 0) return { links: 0, maps: 0, chains: 0, left, modes };
  // Rules first: while pins are there, a cleanup that failed can be tried again.
  const chains = await removeChains();
  const removed = cleanupPins(pins);
  if (readdirSync(pins.root).length === 0) rmdirSync(pins.root);
  return { ...removed, chains, left, modes };
}

async function removeModes(): Promise<readonly RuleMode[]> {
  const removed: RuleMode[] = [];
  const options = { variant: "auto", scheduler: "rr", strictArp: false, warn: () => undefined } as const;
  for (const writer of everyWriter(NO_SETTINGS, options)) {
    if (!(await writer.present())) continue;
    await writer.cleanup(true);
    removed.push(writer.mode);
  }
  return removed;
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
