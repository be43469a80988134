// SPDX-License-Identifier: Apache-2.0
// Which chains of iptables are kube-proxy's, and what takes them away and nothing else, as `kube-proxy --cleanup` does
// (pkg/proxy/iptables/cleanup.go of Kubernetes 1.37). Pure.

import type { TableName } from "./iptables.ts";

const NAMES: Readonly<Record<TableName, readonly string[]>> = {
  nat: [
    "KUBE-SERVICES",
    "KUBE-NODEPORTS",
    "KUBE-POSTROUTING",
    "KUBE-MARK-MASQ",
    "KUBE-PROXY-CANARY",
    ...["KUBE-NODE-PORT", "KUBE-LOAD-BALANCER"], // these, as below, of IPVS mode
  ],
  filter: [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-PROXY-CANARY",
    ...["KUBE-NODE-PORT", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"],
  ],
  mangle: ["KUBE-PROXY-CANARY"],
};
/** Of Services and endpoints, in nat. */
const HASHED = /^KUBE-(?:SVC|SVL|SEP|FW|XLB|EXT)-/;
const BUILT_IN: readonly string[] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/** Marks of one are masqueraded by the other. */
const MARK = "KUBE-MARK-MASQ";
const MASQUERADE = "KUBE-POSTROUTING";

interface Rule {
  readonly text: string;
  readonly chain: string;
  readonly target: string | undefined;
}

/** rules: of the table, as `iptables -S` prints them. lines: of iptables-restore, none where nothing is kube-proxy's. */
export function removal(
  table: TableName,
  rules: readonly string[],
): { readonly lines: readonly string[]; readonly removed: number } {
  const kept = new Set(keptChains(table, rules));
  const chains = chainsOf(table, rules).filter((chain) => !kept.has(chain));
  const gone = new Set(chains);
  const jumps = parse(rules).filter(
    ({ chain, target }) => BUILT_IN.includes(chain) && target !== undefined && gone.has(target),
  );
  const lines = [
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...jumps.map(({ text }) => text.replace(/^-A /, "-D ")),
    ...chains.map((chain) => `-X ${chain}`),
  ];
  return { lines, removed: chains.length };
}

/** Of kube-proxy's chains those that chains of others lead to, and what these lead to. */
export function keptChains(table: TableName, rules: readonly string[]): readonly string[] {
  const theirs = new Set(chainsOf(table, rules));
  const parsed = parse(rules);
  const kept = new Set<string>();
  const keep = (chain: string | undefined): void => {
    if (chain === undefined || !theirs.has(chain) || kept.has(chain)) return;
    kept.add(chain);
    if (chain === MARK) keep(MASQUERADE);
    for (const rule of parsed) if (rule.chain === chain) keep(rule.target);
  };
  for (const { chain, target } of parsed) if (!theirs.has(chain) && !BUILT_IN.includes(chain)) keep(target);
  return [...kept];
}

function chainsOf(table: TableName, rules: readonly string[]): readonly string[] {
  return rules.flatMap((rule) => /^-N (\S+)$/.exec(rule)?.[1] ?? []).filter((chain) => isKubeProxys(table, chain));
}

/** Of its names: in iptables mode ours are the same (own-chains.ts). */
export function isKubeProxys(table: TableName, chain: string): boolean {
  return NAMES[table].includes(chain) || (table === "nat" && HASHED.test(chain));
}

/** Where a rule leads: a chain, or what is done. */
export function targetOf(rule: string): string | undefined {
  return / -[jg] (\S+)/.exec(` ${withoutComments(rule)}`)?.[1];
}

/** A comment may hold anything, in quotes. */
function withoutComments(rule: string): string {
  return rule.includes('"') ? rule.replace(/"(?:[^"\\]|\\.)*"/g, '""') : rule;
}

function parse(rules: readonly string[]): readonly Rule[] {
  return rules.flatMap((text) => {
    const [, chain] = /^-A (\S+)/.exec(text) ?? [];
    return chain === undefined ? [] : [{ text, chain, target: targetOf(text) }];
  });
}
