// SPDX-License-Identifier: Apache-2.0
// Puts the rules of IPVS mode into iptables, and takes them away.

import type { Family } from "../../model/ip.ts";
import { NetfilterError } from "../netfilter/command.ts";
import { findTables, type RuleTable, type TableName, type Variant, variantTable } from "../netfilter/iptables.ts";
import { type TableRules, tableRules } from "./rules.ts";

/** Each table at once. Rejects with NetfilterError. */
export async function writeTables(family: Family, variant: Variant, tables: readonly TableRules[]): Promise<void> {
  for (const wanted of tables) {
    const table = tableOf(family, wanted.table, variant);
    await table.restore(writing(wanted, await table.rules()));
  }
}

/** Lines that make the table hold them. rules: as they are, by `iptables -S`. Pure. */
export function writing({ chains, jumps }: TableRules, rules: readonly string[]): readonly string[] {
  const names = Object.keys(chains);
  return [
    ...names.map((chain) => `:${chain} - [0:0]`),
    ...Object.entries(chains).flatMap(([chain, inside]) => inside.map((rule) => `-A ${chain} ${rule}`)),
    ...jumps.filter((jump) => !rules.includes(`-A ${jump}`)).map((jump) => jump.replace(/^(\S+)/, "-I $1")),
  ];
}

/** Whether what leads to our chains is there, and every chain has as many rules as it had. Rejects with NetfilterError. */
export async function tablesHold(family: Family, variant: Variant, tables: readonly TableRules[]): Promise<boolean> {
  for (const wanted of tables) if (!holds(wanted, await tableOf(family, wanted.table, variant).rules())) return false;
  return true;
}

/** Pure. */
export function holds({ chains, jumps }: TableRules, rules: readonly string[]): boolean {
  const counts = new Map<string, number>();
  for (const rule of rules) {
    const [, chain] = /^-A (\S+)/.exec(rule) ?? [];
    if (chain !== undefined) counts.set(chain, (counts.get(chain) ?? 0) + 1);
  }
  return (
    jumps.every((jump) => rules.includes(`-A ${jump}`)) &&
    Object.entries(chains).every(
      ([chain, inside]) => (counts.get(chain) ?? 0) === inside.length && rules.includes(`-N ${chain}`),
    )
  );
}

/** Ours alone. Rejects with NetfilterError. */
export async function removeTables(family: Family): Promise<void> {
  for (const { table: name, chains } of tableRules(family, NOBODY, NO_MARKS)) {
    for (const table of findTables(family, name)) {
      const lines = removing(Object.keys(chains), await table.rules());
      if (lines.length > 0) await table.restore(lines);
    }
  }
}

/** Pure. */
export function removing(names: readonly string[], rules: readonly string[]): readonly string[] {
  const present = names.filter((chain) => rules.includes(`-N ${chain}`));
  const jumps = rules.filter((rule) => {
    const [, from = "", to = ""] = /^-A (\S+) (?:.* )?-j (\S+)$/.exec(rule) ?? [];
    return present.includes(to) && !present.includes(from);
  });
  return [
    ...present.map((chain) => `:${chain} - [0:0]`),
    ...jumps.map((rule) => rule.replace(/^-A/, "-D")),
    ...present.map((chain) => `-X ${chain}`),
  ];
}

const NOBODY = {
  nodeAddresses: [],
  serviceRanges: [],
  localClients: { by: "device", names: [] },
  foreign: new Set<never>(),
  partial: false,
} as const;
const NO_MARKS = { families: [], masqueradeAll: false, masqueradeMark: 0, forwardMark: 0, localhostNodePorts: false };

function tableOf(family: Family, name: TableName, variant: Variant): RuleTable {
  const table = variantTable(family, name, variant);
  if (table) return table;
  throw new NetfilterError(`${family === 4 ? "iptables" : "ip6tables"} is not installed: install the package iptables`);
}
