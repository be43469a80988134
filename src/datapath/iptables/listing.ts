// SPDX-License-Identifier: Apache-2.0
// What one table holds of this mode's, read from its rules as `iptables -S` prints them. Pure.

import type { TableName } from "../netfilter/iptables.ts";
import { isKubeProxys, targetOf } from "../netfilter/kube-proxy-chains.ts";
import { CANARY } from "../netfilter/own-chains.ts";
import { MARK_OTHERS } from "./service-rules.ts";

export interface Listing {
  /** Chains of this mode, an earlier agent's or a kube-proxy's, with their rules. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** The names of all others, and their rules. */
  readonly guests: ReadonlyMap<string, readonly string[]>;
  /** Of our chains those that rules of others lead to: these cannot be deleted. */
  readonly held: ReadonlySet<string>;
}

export function listingOf(table: TableName, rules: readonly string[]): Listing {
  const chains = new Map<string, string[]>();
  const guests = new Map<string, string[]>();
  const held = new Set<string>();
  for (const line of rules) {
    const [, command, chain = "", rule = ""] = /^-([PNA]) (\S+) ?(.*)$/.exec(line) ?? [];
    const ours = isOfMode(table, chain);
    const into = ours ? chains : guests;
    const before = into.get(chain) ?? [];
    into.set(chain, before);
    if (command !== "A") continue;
    before.push(rule);
    const target = ours ? undefined : targetOf(rule);
    if (target !== undefined && isOfMode(table, target)) held.add(target);
  }
  return { chains, guests, held };
}

/** Whether this mode makes chains of that name, or replaces a kube-proxy's. */
export function isOfMode(table: TableName, chain: string): boolean {
  return isKubeProxys(table, chain) || isOwn(chain);
}

/** Of names that no kube-proxy has. */
export function isOwn(chain: string): boolean {
  return chain === CANARY || chain === MARK_OTHERS || chain.startsWith("PORTOLAN-FW-");
}
