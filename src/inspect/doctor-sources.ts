// SPDX-License-Identifier: Apache-2.0
// The trap of row 45, as `doctor` finds it: source ranges that close one family of a dual-stack Service and leave the
// other open. Pure.

import type { FrontendKind, SourceFilter } from "../compile/state.ts";
import type { Family } from "../model/ip.ts";
import type { Check, NodeState } from "./doctor-types.ts";

type ServedPort = NodeState["services"][number];

/** Which of a Service's frontends are for some clients only, and which for all, by family. */
interface Openness {
  readonly closed: Record<Family, Set<FrontendKind>>;
  readonly open: Record<Family, Set<FrontendKind>>;
}

/** The maps hold nothing of a family that a range of length 0 opens: it cannot be told from one without ranges. */
export const SOURCE_RANGES: Check = {
  name: "source-ranges",
  look: ({ services }) => trappedRanges(services),
};

export function trappedRanges(services: readonly ServedPort[]): ReturnType<Check["look"]> {
  return [...byService(services)].flatMap(([service, openness]) =>
    ([4, 6] as const).flatMap((family) => {
      const [other, kinds] = [family === 4 ? 6 : 4, trapped(openness, family)];
      if (kinds.length === 0) return [];
      const what = `Service ${service}: its source ranges hold over IPv${other} alone, so over IPv${family} everybody is served (${kinds.join(", ")})`;
      const advice = `add an IPv${family} range to spec.loadBalancerSourceRanges, or the annotation portolan.dev/source-ranges-policy: strict to serve nobody; if everybody is meant, nothing`;
      return [{ severity: "warning" as const, what, do: advice }];
    }),
  );
}

/** Kinds of frontends that this family leaves open and the other does not. */
function trapped({ closed, open }: Openness, family: Family): readonly FrontendKind[] {
  return [...open[family]].filter((kind) => closed[family === 4 ? 6 : 4].has(kind)).sort();
}

/** Its ports have the same ranges, so what holds for one holds for all. */
function byService(ports: readonly ServedPort[]): ReadonlyMap<string, Openness> {
  const services = new Map<string, Openness>();
  for (const { namespace, name, family, frontends, sources } of ports) {
    const service = `${namespace}/${name}`;
    const openness = services.get(service) ?? noFrontends();
    services.set(service, openness);
    for (const { kind } of frontends) (closes(sources, kind) ? openness.closed : openness.open)[family].add(kind);
  }
  return services;
}

function noFrontends(): Openness {
  return { closed: { 4: new Set(), 6: new Set() }, open: { 4: new Set(), 6: new Set() } };
}

/** A filter that admits a whole family only denies some of it. */
function closes(sources: SourceFilter | undefined, kind: FrontendKind): boolean {
  if (!sources?.kinds.includes(kind)) return false;
  return !sources.rules.some(({ range, admit }) => admit && range.prefixLength === 0);
}
