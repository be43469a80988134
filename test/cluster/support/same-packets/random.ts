// SPDX-License-Identifier: Apache-2.0
// Services at random, beside those that are written out.
import fc from "fast-check";
import type { Lab } from "../../../../src/demo/lab/lab.ts";
import type { Endpoint, ServiceSpec } from "../../../support/manifests.ts";
import { DRAINING, type Offer, PUBLISHED, UNREADY, zoneOf } from "./services.ts";

const FIRST_NUMBER = 100;
const FIRST_NODE_PORT = 30_500;
const FIRST_HEALTH_PORT = 30_950;
/** More are not told apart by as many tries as there is time for. */
const MOST_ENDPOINTS = 3;

const policy = fc.constantFrom("Local" as const, undefined);

/** Mostly ready. */
const conditions = fc.constantFrom(undefined, undefined, undefined, DRAINING, UNREADY, PUBLISHED);

const ranges = fc.constantFrom<readonly string[] | undefined>(
  ...[undefined, undefined, undefined],
  ["192.168.50.10/32", "fd00:50::10/128"],
  ["10.9.1.0/24", "fd00:9:1::/64"],
  ["192.168.50.1/32", "fd00:50::1/128", "10.9.1.10/32"],
  ["192.168.50.0/24"],
);

function endpoint(lab: Lab): fc.Arbitrary<Endpoint> {
  const hint = fc.constantFrom("n1", "n2");
  const pod = fc.constantFrom(...["p1b", "b1a", "b1b", "p2a"].map((name) => lab.pod(name)));
  return fc.record({ pod, conditions, hint, hints: fc.constantFrom("none", "zone", "node") }).map((drawn) => {
    const {
      pod: { address, nodeName },
    } = drawn;
    const forZones = [{ name: zoneOf(drawn.hint) }];
    const hints = { none: undefined, zone: { forZones }, node: { forNodes: [{ name: drawn.hint }], forZones } }[
      drawn.hints
    ];
    return { address, nodeName, ...(drawn.conditions && { conditions: drawn.conditions }), ...(hints && { hints }) };
  });
}

function shape(lab: Lab): fc.Arbitrary<Omit<ServiceSpec, "name" | "number">> {
  const endpoints = fc.uniqueArray(endpoint(lab), {
    selector: ({ address }) => address.v4,
    maxLength: MOST_ENDPOINTS,
  });
  const drawn = { endpoints, external: fc.boolean(), etp: policy, itp: policy, affinity: fc.boolean(), ranges };
  return fc.record(drawn).map(({ endpoints, external, etp, itp, affinity, ranges }) => ({
    endpoints,
    external,
    ...(etp && { externalTrafficPolicy: etp }),
    ...(itp && { internalTrafficPolicy: itp }),
    ...(affinity && { affinitySeconds: 600 }),
    ...(external && ranges && { sourceRanges: ranges }),
  }));
}

/** The same for the same seed. */
export function randomOffers(lab: Lab, seed: number, count: number): readonly Offer[] {
  return fc.sample(shape(lab), { seed, numRuns: count }).map((drawn, i) => ({
    spec: {
      ...drawn,
      name: `random-${i}`,
      number: FIRST_NUMBER + i,
      nodePort: FIRST_NODE_PORT + i,
      ...(drawn.external && drawn.externalTrafficPolicy ? { healthCheckNodePort: FIRST_HEALTH_PORT + i } : {}),
    },
  }));
}
