// SPDX-License-Identifier: Apache-2.0
// Source ranges as rows, and the one that decided on a client. Pure.

import { longest } from "../compile/source-filter.ts";
import type { FrontendKind, SourceFilter } from "../compile/state.ts";
import type { ServiceState } from "../datapath/ebpf/state-types.ts";
import { type Cidr, familyOf, type Ip } from "../model/ip.ts";
import type { SourceRow } from "./rows.ts";
import { serviceName } from "./service-rows.ts";

/** By service, then by range, the widest first; services that serve everybody have none. */
export function sourceRows(services: readonly ServiceState[]): readonly SourceRow[] {
  return services.flatMap(({ key, protocol, family, sources }) => {
    const rules = [...(sources?.rules ?? [])].sort((a, b) => order(a.range) - order(b.range));
    return rules.map(({ range, admit }) => ({
      service: serviceName(key),
      protocol,
      family: family === 4 ? ("IPv4" as const) : ("IPv6" as const),
      kinds: sources?.kinds ?? [],
      range: isNode(range) ? null : rangeText(range),
      verdict: admit ? ("admit" as const) : ("deny" as const),
    }));
  });
}

/** What a packet with this source met at a frontend of the kind: "none" if no range holds it; undefined: not asked. */
export function decidedRange(
  sources: SourceFilter | undefined,
  kind: FrontendKind,
  source: Ip,
): { readonly range: string; readonly admit: boolean } | undefined {
  if (!sources?.kinds.includes(kind)) return undefined;
  const rule = longest(sources.rules, source);
  return { range: rule ? rangeText(rule.range) : "none", admit: rule?.admit ?? false };
}

/** `203.0.113.0/24`; "node" for the one of the node's own processes. */
export function rangeName(range: Cidr): string {
  return isNode(range) ? "node" : rangeText(range);
}

/** The rule of the node's own processes comes last. */
function order(range: Cidr): number {
  return isNode(range) ? Number.POSITIVE_INFINITY : range.prefixLength;
}

/** The unspecified address alone, as compile writes it. */
function isNode({ address, prefixLength }: Cidr): boolean {
  return familyOf(address) === 4
    ? address === "0.0.0.0" && prefixLength === 32
    : address === "::" && prefixLength === 128;
}

function rangeText({ address, prefixLength }: Cidr): string {
  return `${address}/${prefixLength}`;
}
