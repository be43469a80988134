// SPDX-License-Identifier: Apache-2.0
// How Portolan's rules of iptables mode are told from kube-proxy's: their chains have the same names, for those who know them.

import { hasChain, type RuleTable } from "./iptables.ts";

/** Ours; kube-proxy's is KUBE-PROXY-CANARY. Whoever takes the other's chains over takes its canary away. */
export const CANARY = "PORTOLAN-CANARY";
/** So that who flushes rules and leaves chains is noticed too. */
export const CANARY_RULE = '-m comment --comment "Portolan serves by these chains" -j RETURN';
export const KUBE_PROXY_CANARY = "KUBE-PROXY-CANARY";

/** Whether the chains of a kube-proxy in this table are ours. Rejects with NetfilterError. */
export async function areOurs(table: RuleTable): Promise<boolean> {
  return (await hasChain(table, CANARY)) && !(await hasChain(table, KUBE_PROXY_CANARY));
}
