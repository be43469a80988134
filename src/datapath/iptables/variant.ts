// SPDX-License-Identifier: Apache-2.0
// Which of the two variants of iptables the node works with: as iptables-wrappers of sig-network chooses for containers, so that
// all that write rules write to the same tables.

import type { Family } from "../../model/ip.ts";
import { NetfilterError } from "../netfilter/command.ts";
import { legacyInUse, type RuleTable, type TableName, type Variant, variantTable } from "../netfilter/iptables.ts";

/** auto: as the kubelet does; else as most rules are. */
export type VariantChoice = "auto" | Variant;

/** What the kubelet leaves in mangle where it writes rules. */
const HINTS: readonly string[] = ["-N KUBE-IPTABLES-HINT", "-N KUBE-KUBELET-CANARY"];
const TABLES: readonly TableName[] = ["mangle", "filter", "nat"];
const VARIANTS: readonly Variant[] = ["nft", "legacy"];

/** Rejects with NetfilterError. */
export async function chooseVariant(families: readonly Family[], choice: VariantChoice): Promise<Variant> {
  if (choice !== "auto") return choice;
  const counts = new Map<Variant, number>();
  for (const variant of VARIANTS) {
    const rules = await rulesOf(families, variant);
    if (rules.some((rule) => HINTS.includes(rule))) return variant;
    counts.set(variant, rules.filter((rule) => rule.startsWith("-A ")).length);
  }
  if (variantTable(families[0] ?? 4, "nat", "nft") === undefined) return "legacy";
  return (counts.get("legacy") ?? 0) > (counts.get("nft") ?? 0) ? "legacy" : "nft";
}

async function rulesOf(families: readonly Family[], variant: Variant): Promise<readonly string[]> {
  const lists = families
    .flatMap((family) => TABLES.flatMap((table) => tableInUse(family, table, variant) ?? []))
    .map((table) => table.rules());
  return (await Promise.all(lists)).flat();
}

/** undefined: nothing is there. To look would load the tables of old where nobody uses them. */
export function tableInUse(family: Family, table: TableName, variant: Variant): RuleTable | undefined {
  if (variant === "legacy" && !legacyInUse(family, table)) return undefined;
  return variantTable(family, table, variant);
}

/** Throws NetfilterError where the command is missing. */
export function tableToWrite(family: Family, table: TableName, variant: Variant): RuleTable {
  const found = variantTable(family, table, variant);
  if (found) return found;
  const name = `${family === 4 ? "iptables" : "ip6tables"}-${variant}`;
  throw new NetfilterError(`${name} is not installed: install the package iptables`);
}
