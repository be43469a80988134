// SPDX-License-Identifier: Apache-2.0
// What a node whose FORWARD chain drops must let through: packets that our programs have translated, and the answers to
// them (clause E5 of the rule of the edge, row 42 of the behaviour contract; kube-proxy's KUBE-FORWARD).

import { removeChain } from "./chain.ts";
import type { RuleTable } from "./iptables.ts";

export const CHAIN = "PORTOLAN-FORWARD";
const JUMP = `-A FORWARD -j ${CHAIN}`;
/** A FORWARD chain that drops nothing: there the rules would only cost every packet a look. */
const OPEN = "-P FORWARD ACCEPT";

/**
 * The rules, as `iptables -S` prints them. Requests carry the mark that they were translated on their way in; conntrack,
 * which sees (client, backend) like everybody behind our hooks, knows the answers.
 */
export function acceptRules(inboundMarkBit: number): readonly string[] {
  const mark = `0x${((1 << inboundMarkBit) >>> 0).toString(16)}`;
  return [
    `-A ${CHAIN} -m mark --mark ${mark}/${mark} -j ACCEPT`,
    `-A ${CHAIN} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  ];
}

/**
 * Sees to it that what FORWARD drops for want of a rule, by its policy or by a last rule for everything, meets our rules
 * first, and nothing else does: what is dropped on purpose (a NetworkPolicy, an administrator's block) stays dropped behind a
 * Service too. othersToo: while an earlier agent's programs mark what they translate otherwise, what it accepted goes on to
 * be accepted. Returns whether something had to be changed. Throws NetfilterError.
 */
export async function ensureAccepts(table: RuleTable, inboundMarkBit: number, othersToo = false): Promise<boolean> {
  const rules = await table.rules();
  const forward = rules.filter((rule) => rule.startsWith("-A FORWARD "));
  const others = forward.filter((rule) => rule !== JUMP);
  const jumps = forward.length - others.length;
  const last = others.findIndex((rule) => dropsEverything(rule, rules));
  if (jumps === 0 && last < 0 && rules.includes(OPEN)) return false;
  const place = last < 0 ? others.length : last;
  const inPlace = jumps === 1 && forward[place] === JUMP;
  const own = acceptRules(inboundMarkBit);
  const found = rulesOf(CHAIN, rules);
  const accepts = [...own, ...(othersToo ? found.filter((rule) => !own.includes(rule)) : [])];
  if (inPlace && sameRules(found, accepts)) return false;
  const taken = Array.from({ length: jumps }, () => `-D FORWARD -j ${CHAIN}`);
  const moved = inPlace ? [] : [...taken, `-I FORWARD ${place + 1} -j ${CHAIN}`];
  await table.restore([`:${CHAIN} - [0:0]`, ...accepts, ...moved]);
  return true;
}

/** `-j DROP` or REJECT for every packet, or a jump for every packet to a chain that begins with one (ufw, firewalld). */
function dropsEverything(rule: string, rules: readonly string[]): boolean {
  const bare = /^-A \S+(?: -m comment --comment (?:"[^"]*"|\S+))? -j (\S+)(?: --reject-with \S+)?$/.exec(rule);
  const target = bare?.[1];
  if (target === undefined) return false;
  if (target === "DROP" || target === "REJECT") return true;
  const first = rulesOf(target, rules).find((inner) => !/ -j (?:LOG|NFLOG)(?: |$)/.test(inner));
  return first !== undefined && dropsEverything(first, rules);
}

function rulesOf(chain: string, rules: readonly string[]): readonly string[] {
  return rules.filter((rule) => rule.startsWith(`-A ${chain} `));
}

/** Takes the rules away, ours only. Returns whether there were any. Throws NetfilterError. */
export async function removeAccepts(table: RuleTable): Promise<boolean> {
  return await removeChain(table, "FORWARD", CHAIN);
}

function sameRules(found: readonly string[], wanted: readonly string[]): boolean {
  return found.length === wanted.length && found.every((rule, index) => rule === wanted[index]);
}
