// SPDX-License-Identifier: Apache-2.0
// Whom frontends serve (rows 44 and 45), as rules from the longest range to the shortest. Pure.

import { covers } from "../../compile/source-filter.ts";
import type { SourceRule } from "../../compile/state.ts";

/**
 * ip: "ip" or "ip6". admitted: the verdict for who is served; the others are dropped. The unspecified address, which stands for
 * sockets of the node, is no packet's: here the node's processes are known by the addresses that they send from.
 */
export function sourceRules(rules: readonly SourceRule[], ip: string, admitted: string): readonly string[] {
  const wire = rules.filter(({ range }) => !isUnspecified(range.address) || range.prefixLength === 0);
  const sorted = wire.toSorted((a, b) => b.range.prefixLength - a.range.prefixLength);
  const written: string[] = [];
  for (const run of runsOf(sorted)) {
    const verdict = run[0]?.admit ? admitted : "drop";
    const all = run.some(({ range }) => range.prefixLength === 0);
    written.push(all ? verdict : `${ip} saddr { ${rangesOf(run).join(", ")} } ${verdict}`);
    if (all) return written;
  }
  return [...written, "drop"];
}

function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** Neighbours with one verdict. */
function runsOf(rules: readonly SourceRule[]): readonly SourceRule[][] {
  const runs: SourceRule[][] = [];
  for (const rule of rules) {
    const last = runs.at(-1);
    if (last?.[0]?.admit === rule.admit) last.push(rule);
    else runs.push([rule]);
  }
  return runs;
}

/** A set of nft holds no range within another. */
function rangesOf(run: readonly SourceRule[]): readonly string[] {
  const ranges = run.map(({ range }) => range);
  const outer = ranges.filter((range) => !ranges.some((other) => other !== range && covers(other, range)));
  return outer.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
}
