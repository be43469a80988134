// SPDX-License-Identifier: Apache-2.0
// Sets of ipset, one for each endpoint of a Service with session affinity: the clients that it had a connection of, each until
// its time is over (rows 51 to 53). They stay when the agent ends, with what is in them.

import type { Family } from "../../model/ip.ts";
import { findCommand, NetfilterError, runCommand } from "../netfilter/command.ts";
import type { RuleTable } from "../netfilter/iptables.ts";
import { type AffinityStore, setPrefix } from "./endpoint-rules.ts";

/** Of a set whose rules give no time; ours do. A set that is made without one keeps clients for ever. */
const TIMEOUT_S = 10_800;
/** Clients of one endpoint: beyond, new ones are not remembered. A set grows as it fills. */
const MAX_CLIENTS = 1_048_576;
const PROBE = "PORTOLAN-PROBE";

export class AffinitySets {
  readonly #family: Family;
  #present: Set<string> | undefined;

  constructor(family: Family) {
    this.#family = family;
  }

  /** Looks which are there, an earlier agent's. Rejects with NetfilterError. */
  async look(): Promise<void> {
    this.#present = new Set(findCommand("ipset") === undefined ? [] : await presentSets(this.#family));
  }

  /** Makes those that are missing. Rejects with NetfilterError. */
  async ensure(wanted: ReadonlySet<string>): Promise<void> {
    const present = this.#present ?? new Set();
    const missing = [...wanted].filter((name) => !present.has(name));
    if (missing.length === 0) return;
    await ipset(["restore", "-exist"], missing.map((name) => `create ${name} ${shape(this.#family)}\n`).join(""));
    for (const name of missing) present.add(name);
  }

  /**
   * Takes away those that no rule names any more. A set is in use for a moment after its last rule has gone: the next call tries
   * again. Rejects with NetfilterError.
   */
  async collect(wanted: ReadonlySet<string>): Promise<void> {
    const present = this.#present ?? new Set();
    for (const name of present) {
      if (wanted.has(name)) continue;
      if (!(await destroyed(name))) return;
      present.delete(name);
    }
  }
}

/** What this kernel can do; with `recent` the reason why not ipset. Rejects with NetfilterError. */
export async function findAffinityStore(
  family: Family,
  nat: RuleTable,
): Promise<{ readonly store: AffinityStore; readonly reason?: string }> {
  if (findCommand("ipset") === undefined)
    return { store: "recent", reason: "ipset is not installed: install the package ipset" };
  const name = `${setPrefix(family)}PROBE`;
  try {
    await ipset(["restore", "-exist"], `create ${name} ${shape(family)}\n`);
    const rules = [`-m set --match-set ${name} src -j RETURN`, `-j SET --add-set ${name} src --exist --timeout 1`];
    await nat.restore([`:${PROBE} - [0:0]`, ...rules.map((rule) => `-A ${PROBE} ${rule}`)]);
  } catch (error) {
    if (!(error instanceof NetfilterError)) throw error;
    return { store: "recent", reason: error.message };
  }
  await nat.restore([`:${PROBE} - [0:0]`, `-X ${PROBE}`]);
  return { store: "ipset" };
}

/** All of both families. False: rules still name some; or did a moment ago, then the next call succeeds. Rejects with NetfilterError. */
export async function destroyAffinitySets(): Promise<boolean> {
  if (findCommand("ipset") === undefined) return true;
  let all = true;
  for (const family of [4, 6] as const) {
    for (const name of await presentSets(family)) all = (await destroyed(name)) && all;
  }
  return all;
}

async function presentSets(family: Family): Promise<readonly string[]> {
  const names = await ipset(["list", "-name"]);
  return names.split("\n").filter((name) => name.startsWith(setPrefix(family)));
}

/** False: it is in use. */
async function destroyed(name: string): Promise<boolean> {
  try {
    await ipset(["destroy", name]);
    return true;
  } catch (error) {
    if (error instanceof NetfilterError && /in use/.test(error.message)) return false;
    throw error;
  }
}

async function ipset(args: readonly string[], input?: string): Promise<string> {
  return await runCommand(findCommand("ipset") ?? "ipset", args, input);
}

function shape(family: Family): string {
  return `hash:ip family ${family === 4 ? "inet" : "inet6"} hashsize 64 maxelem ${MAX_CLIENTS} timeout ${TIMEOUT_S}`;
}
