// SPDX-License-Identifier: Apache-2.0
// Reads what `nft -j` lists of our table. Pure.

import type { Element } from "./part.ts";

/** What a chain was written with; "" for one without rules. */
export type Seal = string;

/** digest: of the chain, as the comment of its first rule has it. */
export function sealOf(rules: number, digest: string | undefined): Seal {
  return rules === 0 ? "" : `${rules} ${digest}`;
}

export interface FoundChain {
  readonly name: string;
  readonly seal: Seal;
  /** Names of the maps that its rules look endpoints up in, one for each rule. */
  readonly shards: readonly string[];
}

export interface FoundTable {
  readonly chains: readonly FoundChain[];
  /** Of maps and sets. */
  readonly names: readonly string[];
}

interface Named {
  readonly name: string;
}

interface RuleObject {
  readonly chain: string;
  readonly comment?: string;
  readonly expr: readonly unknown[];
}

interface Listed {
  readonly map?: Named & Contents;
  readonly set?: Named & Contents;
  readonly chain?: Named;
  readonly rule?: RuleObject;
}

interface Contents {
  readonly elem?: readonly unknown[];
}

/** text: what `nft -j -t list table` prints. */
export function readTable(text: string): FoundTable {
  const names: string[] = [];
  const rules = new Map<string, RuleObject[]>();
  for (const { map, set, chain, rule } of objectsOf(text)) {
    const named = map ?? set;
    if (named) names.push(named.name);
    if (chain) rules.set(chain.name, []);
    if (rule) rules.get(rule.chain)?.push(rule);
  }
  return { names, chains: [...rules].map(([name, of]) => foundChain(name, of)) };
}

function foundChain(name: string, rules: readonly RuleObject[]): FoundChain {
  const seal = sealOf(rules.length, rules[0]?.comment);
  const shards = rules.flatMap(({ expr }) => /"@(endpoints[46]-\w+-\d+)"/.exec(JSON.stringify(expr))?.[1] ?? []);
  return { name, seal, shards };
}

/** text: what `nft -j -p list map` or `list set` prints. */
export function readElements(text: string): readonly Element[] {
  return objectsOf(text).flatMap(({ map, set }) => {
    const { name: of = "", elem = [] } = map ?? set ?? {};
    return elem.map((element) => {
      const [key, value] = map && Array.isArray(element) ? element : [element, undefined];
      return { of, key: keyText(key), value: value === undefined ? "" : verdictText(value) };
    });
  });
}

function objectsOf(text: string): readonly Listed[] {
  return (JSON.parse(text) as { nftables: readonly Listed[] }).nftables;
}

/** `10.96.0.1 . 6 . 80` of {"concat": ["10.96.0.1", 6, 80]} */
function keyText(key: unknown): string {
  return typeof key === "object" && key !== null && "concat" in key
    ? (key.concat as readonly unknown[]).join(" . ")
    : String(key);
}

/** `goto refuse` of {"goto": {"target": "refuse"}}; `drop` of {"drop": null} */
function verdictText(verdict: unknown): string {
  const [[word, argument] = ["", null]] = Object.entries(verdict as Record<string, { target: string } | null>);
  return argument === null ? word : `${word} ${argument.target}`;
}
