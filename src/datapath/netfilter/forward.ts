// SPDX-License-Identifier: Apache-2.0
// What a node whose FORWARD chain drops must let through: packets that our programs have translated, and the answers to
// them (clause E5 of the rule of the edge, row 42 of the behaviour contract; kube-proxy's KUBE-FORWARD).

import type { FilterTable } from "./iptables.ts";

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
 * Sees to it that FORWARD begins with our rules, if it can drop at all. Rules that are there stay where they are: somebody who
 * put a policy of his own before them meant it. othersToo: while an earlier agent's programs mark what they translate
 * otherwise, what it accepted goes on to be accepted. Returns whether rules had to be added. Throws IptablesError.
 */
export async function ensureAccepts(table: FilterTable, inboundMarkBit: number, othersToo = false): Promise<boolean> {
  const forward = await table.rules("FORWARD");
  const jumps = forward.includes(JUMP);
  if (!jumps && forward.length === 1 && forward[0] === OPEN) return false;
  const own = acceptRules(inboundMarkBit);
  const found = jumps ? await table.rules(CHAIN) : [];
  const others = othersToo ? found.filter((rule) => rule.startsWith("-A ") && !own.includes(rule)) : [];
  const rules = [...own, ...others];
  if (jumps && sameRules(found, [`-N ${CHAIN}`, ...rules])) return false;
  await table.restore([`:${CHAIN} - [0:0]`, ...rules, ...(jumps ? [] : [`-I FORWARD 1 -j ${CHAIN}`])]);
  return true;
}

/** Takes the rules away, ours only. Returns whether there were any. Throws IptablesError. */
export async function removeAccepts(table: FilterTable): Promise<boolean> {
  const rules = await table.rules();
  if (!rules.includes(`-N ${CHAIN}`)) return false;
  const jumps = rules.filter((rule) => rule === JUMP).map(() => `-D FORWARD -j ${CHAIN}`);
  await table.restore([...jumps, `-F ${CHAIN}`, `-X ${CHAIN}`]);
  return true;
}

function sameRules(found: readonly string[], wanted: readonly string[]): boolean {
  return found.length === wanted.length && found.every((rule, index) => rule === wanted[index]);
}
