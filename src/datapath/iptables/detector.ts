// SPDX-License-Identifier: Apache-2.0
// How rules tell local pods (rows 35 and 38). In OUTPUT a packet has come in by no device, so those of the node's own processes
// are told by their source. Pure.

import { type Family, familyOf } from "../../model/ip.ts";
import type { LocalClients } from "../rules/writer.ts";
import { FROM_NODE, fromRange, type Rule } from "./rule.ts";

/** A part of a rule. */
type Condition = Pick<Rule, "source" | "device" | "matches">;

/** Whoever meets one of the conditions is a local pod, or is none; the rest is the opposite. */
export interface Detector {
  readonly tells: "pods" | "others";
  readonly by: readonly Condition[];
}

/** Undefined: none of this family can be told. */
export function detectorOf(clients: LocalClients, family: Family): Detector | undefined {
  if (clients.by === "source") {
    const ranges = clients.ranges.filter(({ address }) => familyOf(address) === family);
    if (ranges.length === 0) return undefined;
    return { tells: "pods", by: ranges.map((range) => ({ source: fromRange(range) })) };
  }
  const devices = clients.names.map((name) => ({ device: `-i ${name.replace(/\*$/, "+")}` }));
  if (clients.by === "device") return { tells: "pods", by: devices };
  return { tells: "others", by: [{ matches: [FROM_NODE] }, ...devices] };
}

/** Who is no local pod, if one rule can say it. */
export function othersIn({ tells, by }: Detector): Condition | undefined {
  const [only, ...more] = by;
  if (tells === "others" || only === undefined || more.length > 0) return undefined;
  if (only.source) return { source: `! ${only.source}` };
  return only.device ? { device: `! ${only.device}` } : undefined;
}

/** Rules of a chain that gives whoever is no local pod to a target that returns. */
export function othersTo(target: string, { tells, by }: Detector): readonly Rule[] {
  if (tells === "others") return by.map((condition) => ({ ...condition, target }));
  return [...by.map((condition) => ({ ...condition, target: "-j RETURN" })), { target }];
}
