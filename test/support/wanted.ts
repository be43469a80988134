// SPDX-License-Identifier: Apache-2.0
// Random states of a few services in which every frontend belongs to one service at most. The Local set may hold what
// the Cluster set lacks: topology narrows only the latter, and each falls back to terminating endpoints by itself.

import fc from "fast-check";
import type { CompiledService, Frontend, SourceFilter } from "../../src/compile/state.ts";
import { clusterIp, member, nodePort, service } from "../unit/datapath/memory-maps.ts";
import { ip } from "./compiled.ts";

const NAMES = ["a", "b", "c", "d"] as const;
const FRONTENDS: readonly Frontend[] = [
  clusterIp("10.96.0.1"),
  clusterIp("10.96.0.2"),
  clusterIp("10.96.0.3"),
  nodePort(30001),
  nodePort(30002),
];

/** Often the same ones, so that services share sets. */
const ruleArb = fc.record({
  range: fc.constantFrom(
    { address: ip("192.0.2.0"), prefixLength: 24 },
    { address: ip("192.0.2.128"), prefixLength: 25 },
    { address: ip("0.0.0.0"), prefixLength: 32 },
  ),
  admit: fc.boolean(),
});
const sourcesArb: fc.Arbitrary<SourceFilter> = fc.record({
  kinds: fc.constantFrom(["LoadBalancer"] as const, ["LoadBalancer", "NodePort"] as const),
  rules: fc.uniqueArray(ruleArb, { selector: ({ range }) => range.prefixLength }),
});

const memberArb = fc.record({ host: fc.integer({ min: 1, max: 6 }), weight: fc.constantFrom(1, 1, 2) });
const serviceArb = fc.record({
  members: fc.uniqueArray(memberArb, { selector: ({ host }) => host, maxLength: 5 }),
  local: fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 2 }),
  /** As many of the last members only serve. */
  serving: fc.constantFrom(0, 0, 1, 3),
  localOnly: fc.constantFrom(0, 0, 1, 2),
  externalLocal: fc.boolean(),
  scheduler: fc.constantFrom<CompiledService["scheduler"]>("default", "random", "mh"),
  sources: fc.option(sourcesArb, { nil: undefined }),
});

/** Sorted by key. */
export const wantedAtRandom: fc.Arbitrary<readonly CompiledService[]> = fc
  .record({
    services: fc.array(fc.option(serviceArb), { minLength: NAMES.length, maxLength: NAMES.length }),
    owners: fc.array(fc.nat({ max: NAMES.length }), { minLength: FRONTENDS.length, maxLength: FRONTENDS.length }),
  })
  .map(({ services, owners }) =>
    services.flatMap((shape, i) => {
      if (shape === null) return [];
      const members = shape.members.map(({ host, weight }) => member(`10.0.0.${host}`, { weight }));
      const local = shape.externalLocal ? shape.local.flatMap((at) => members[at] ?? []) : [];
      const chosen = members.length - shape.serving;
      const cluster = members.slice(shape.externalLocal ? shape.localOnly : 0, Math.max(0, chosen));
      const serving = members.filter((one) => !cluster.includes(one) && !local.includes(one));
      const frontends = FRONTENDS.filter((_, at) => owners[at] === i);
      const { externalLocal, scheduler, sources } = shape;
      const sets = { cluster, local, serving };
      return [service(NAMES[i] ?? "", { ...sets, frontends, externalLocal, scheduler, sources })];
    }),
  );
