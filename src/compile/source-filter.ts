// SPDX-License-Identifier: Apache-2.0
// From a Service's source ranges to whom its frontends of one family serve (rows 44 and 45). Pure.

import { type Cidr, type Family, familyOf, type Ip, isInCidr } from "../model/ip.ts";
import type { Service } from "../model/service.ts";
import type { SourceFilter, SourceRule } from "./state.ts";

const WIDTH: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
const UNSPECIFIED: Readonly<Record<Family, Ip>> = { 4: "0.0.0.0" as Ip, 6: "::" as Ip };

/**
 * nodeAddresses: this node's own, the first of a family is the one its processes are known by. Undefined when the family
 * serves everybody: nothing is denied, and a range is all of it or, unless ranges are strict, none is of it.
 */
export function sourceFilter(service: Service, family: Family, nodeAddresses: readonly Ip[]): SourceFilter | undefined {
  const { sourceRanges, loadBalancerIps } = service;
  if (!sourceRanges) return undefined;
  const allowed = sourceRanges.allowed.filter(({ address }) => familyOf(address) === family);
  const denied = sourceRanges.denied.filter(({ address }) => familyOf(address) === family);
  const open = allowed.some(({ prefixLength }) => prefixLength === 0) || (allowed.length === 0 && !sourceRanges.strict);
  if (open && denied.length === 0) return undefined;

  const isDenied = (range: Cidr) => denied.some((wider) => covers(wider, range));
  const rules = new Map<string, SourceRule>();
  const add = (range: Cidr, admit: boolean) => rules.set(`${range.address}/${range.prefixLength}`, { range, admit });
  for (const range of open ? [{ address: UNSPECIFIED[family], prefixLength: 0 }] : allowed) {
    if (!isDenied(range)) add(range, true);
  }
  for (const range of denied) add(range, false);

  const node = nodeAddresses.find((address) => familyOf(address) === family);
  const nodeRule = node === undefined ? undefined : longest([...rules.values()], node);
  const nodeAdmitted = node === undefined ? open : nodeRule?.admit === true;
  // The node may have the VIP as an address: its processes then come from that (row 44).
  const vips = nodeAdmitted ? loadBalancerIps.filter((address) => familyOf(address) === family) : [];
  for (const address of vips) {
    if (!longest([...rules.values()], address)) add({ address, prefixLength: WIDTH[family] }, true);
  }
  add({ address: UNSPECIFIED[family], prefixLength: WIDTH[family] }, nodeAdmitted);
  return { kinds: sourceRanges.kinds, rules: [...rules.values()] };
}

/** What its author may not expect of row 45, in whole sentences. */
export function sourceWarnings(service: Service): readonly string[] {
  const { sourceRanges, clusterIps, namespace, name } = service;
  if (!sourceRanges || sourceRanges.strict || sourceRanges.allowed.length === 0) return [];
  const ranged = new Set(sourceRanges.allowed.map(({ address }) => familyOf(address)));
  return clusterIps
    .map(familyOf)
    .filter((family) => !ranged.has(family))
    .map(
      (family) =>
        `Service ${namespace}/${name}: spec.loadBalancerSourceRanges has no IPv${family} range, so over IPv${family} everybody is served: add ranges, or the annotation portolan.dev/source-ranges-policy: strict to serve nobody`,
    );
}

/** Whether all of range is in wider. */
export function covers(wider: Cidr, range: Cidr): boolean {
  return wider.prefixLength <= range.prefixLength && isInCidr(range.address, wider);
}

/** The rule that decides on an address. */
export function longest(rules: readonly SourceRule[], address: Ip): SourceRule | undefined {
  let best: SourceRule | undefined;
  for (const rule of rules) {
    if (best && best.range.prefixLength >= rule.range.prefixLength) continue;
    if (isInCidr(address, rule.range)) best = rule;
  }
  return best;
}
