// SPDX-License-Identifier: Apache-2.0
// What a write comes to, in Services. Pure.

import type { ApplyReport } from "../contract.ts";
import type { TableName } from "../netfilter/iptables.ts";
import type { FamilyRules, Rendered } from "./family-rules.ts";
import { placeOf, SHARED_CHAINS } from "./frontend-rules.ts";
import type { ServiceRules } from "./service-rules.ts";
import type { TableChange } from "./table.ts";

export const NOTHING: ApplyReport = {
  servicesWritten: 0,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

/** rendered: what FamilyRules.want() returned. Asked before TableChains.done(). */
export function reportOf(
  rules: FamilyRules,
  { keys, removed }: Rendered,
  changes: Readonly<Record<TableName, TableChange>>,
): ApplyReport {
  const added = new Set<string>();
  let frontendsRemoved = 0;
  for (const name of SHARED_CHAINS) {
    const { table, chain } = placeOf(name);
    if (!changes[table].written.has(chain)) continue;
    const before = new Set(rules.tables[table].written(chain));
    const now = new Set(rules.tables[table].wanted(chain));
    for (const rule of now) if (!before.has(rule)) added.add(`${name} ${rule}`);
    // Of Services: what leads on to KUBE-NODEPORTS stands behind theirs.
    for (const rule of before) if (!now.has(rule) && !rule.endsWith(" -j KUBE-NODEPORTS")) frontendsRemoved++;
  }
  let servicesWritten = 0;
  let frontendsWritten = 0;
  for (const key of keys) {
    const service = rules.rulesOf(key);
    if (!service) continue;
    const frontends = frontendsIn(service, added);
    frontendsWritten += frontends;
    if (frontends > 0 || hasChainIn(service, changes)) servicesWritten++;
  }
  const backendsWritten = [...changes.nat.written].filter((chain) => chain.startsWith("KUBE-SEP-")).length;
  return { servicesWritten, servicesRemoved: removed, frontendsWritten, frontendsRemoved, backendsWritten };
}

function frontendsIn({ shared }: ServiceRules, added: ReadonlySet<string>): number {
  return [...shared].flatMap(([name, rules]) => rules.filter((rule) => added.has(`${name} ${rule}`))).length;
}

function hasChainIn({ filter, nat }: ServiceRules, changes: Readonly<Record<TableName, TableChange>>): boolean {
  return (
    [...nat.keys()].some((chain) => changes.nat.written.has(chain)) ||
    [...filter.keys()].some((chain) => changes.filter.written.has(chain))
  );
}

export function sum(reports: readonly ApplyReport[]): ApplyReport {
  const add = (a: ApplyReport, b: ApplyReport): ApplyReport => ({
    servicesWritten: a.servicesWritten + b.servicesWritten,
    servicesRemoved: a.servicesRemoved + b.servicesRemoved,
    frontendsWritten: a.frontendsWritten + b.frontendsWritten,
    frontendsRemoved: a.frontendsRemoved + b.frontendsRemoved,
    backendsWritten: a.backendsWritten + b.backendsWritten,
  });
  return reports.reduce(add, NOTHING);
}
