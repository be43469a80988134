// SPDX-License-Identifier: Apache-2.0
// Keeps the kernel translating what a kube-proxy's rules have begun once these are gone. It tracks connections in a network
// namespace only while some rule asks for their state, and translates them only while there is a chain for that.

import { removeChain } from "./chain.ts";
import type { RuleTable } from "./iptables.ts";

export const CHAIN = "PORTOLAN-NAT";
const JUMP = `-A POSTROUTING -j ${CHAIN}`;
/** Asks, and does nothing. Only the first packet of a connection comes here. */
const RULE = `-A ${CHAIN} -m conntrack --ctstate DNAT -j RETURN`;

/** In a table "nat". Returns whether something had to be changed. Rejects with NetfilterError. */
export async function ensureTranslation(table: RuleTable): Promise<boolean> {
  const rules = await table.rules();
  if (rules.includes(JUMP) && rules.includes(RULE)) return false;
  await table.restore([`:${CHAIN} - [0:0]`, RULE, ...(rules.includes(JUMP) ? [] : [JUMP])]);
  return true;
}

/** Returns whether there was any. Rejects with NetfilterError. */
export async function removeTranslation(table: RuleTable): Promise<boolean> {
  return await removeChain(table, "POSTROUTING", CHAIN);
}
