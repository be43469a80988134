// SPDX-License-Identifier: Apache-2.0
// Keeps the rules in FORWARD that let Service traffic through, whoever flushes them (firewalls reload), for as long as the
// agent runs. They stay when it ends, as the datapath does.

import { ensureAccepts } from "../datapath/netfilter/forward.ts";
import type { RuleTable } from "../datapath/netfilter/iptables.ts";
import type { Family } from "../model/ip.ts";
import type { Log } from "./log.ts";

/** Between two looks at the rules. */
const INTERVAL_MS = 3000;
/** With so many rules that looking takes long, the interval is this much longer than the look. */
const INTERVAL_TO_LOOK = 10;

const FAMILIES: readonly Family[] = [4, 6];

export class ForwardKeeper implements Disposable {
  readonly #inboundMarkBit: number;
  readonly #find: (family: Family) => readonly RuleTable[];
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** What the log was told last of each family, so that it is told once. */
  readonly #told = new Map<number, string>();

  /** find: the filter tables of this network namespace, looked up anew each time. */
  constructor(inboundMarkBit: number, find: (family: Family) => readonly RuleTable[], log: Log) {
    this.#inboundMarkBit = inboundMarkBit;
    this.#find = find;
    this.#log = log;
  }

  /** Before our programs are attached: what they translate is accepted, and still what those of an earlier agent do. */
  async begin(): Promise<void> {
    for (const family of FAMILIES) await this.#ensure(family, true);
  }

  /** Looks again and again. Never rejects: a node without iptables is served all the same. */
  async keep(): Promise<void> {
    const begin = performance.now();
    let failed = false;
    for (const family of FAMILIES) failed = !(await this.#ensure(family, false)) || failed;
    if (this.#stopped) return;
    const tookMs = performance.now() - begin;
    const interval = failed ? INTERVAL_MS : Math.max(INTERVAL_MS, INTERVAL_TO_LOOK * tookMs);
    this.#timer = setTimeout(() => void this.keep(), interval);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** False: iptables refused, which may be over soon (another one held its lock). */
  async #ensure(family: Family, othersToo: boolean): Promise<boolean> {
    try {
      const tables = this.#find(family);
      if (tables.length === 0) {
        const what = `IPv${family}: iptables is not installed`;
        this.#warn(family, `${what}, so a FORWARD chain that drops will drop Service traffic to this node's pods`);
        return true;
      }
      for (const table of tables) {
        if (await ensureAccepts(table, this.#inboundMarkBit, othersToo))
          this.#log.info({ command: table.command }, "FORWARD can drop: Service traffic is accepted there");
      }
      this.#told.delete(family);
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#warn(family, `IPv${family}: the FORWARD chain cannot be kept open for Service traffic: ${reason}`);
      return false;
    }
  }

  #warn(family: number, message: string): void {
    if (this.#told.get(family) === message) return;
    this.#told.set(family, message);
    this.#log.warn(message);
  }
}
