// SPDX-License-Identifier: Apache-2.0
// Source ranges at random (rows 44 and 45): some hold a client, a pod, the node or the VIP, some are of one family only,
// some are written as old manifests have them, some are nonsense; and the annotations beside them.

import fc from "fast-check";

export interface RandomSources {
  /** spec.loadBalancerSourceRanges */
  readonly ranges: readonly string[] | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

const RANGES = [
  ...["192.0.2.100/30", "192.0.2.102/32", "10.244.1.0/24", "10.244.0.0/16", "10.244.2.1/32", "192.0.2.1/32"],
  ...["198.51.100.0/24", "10.244.1.2/31", "192.0.2.0/24", " 010.244.001.000/24 ", "192.0.2.77/30"],
  ...["2001:db8:2::100/126", "2001:db8:2::102/128", "fd00:244:1::/64", "FD00:244::/32", "fd00:244:2::1/128"],
  ...["2001:db8:2::1/128", "2001:db8:100::/64", "2001:db8:2::/64", "fd00:244:1:0:0:0:0:2/127"],
] as const;

const some = fc.subarray([...RANGES], { minLength: 1, maxLength: 4 });
/** One family alone, so that the other has no range (row 45). */
const oneSided = fc.boolean().chain((six) => {
  return fc.subarray(
    RANGES.filter((range) => range.includes(":") === six),
    { minLength: 1, maxLength: 3 },
  );
});
const odd = fc.constantFrom("0.0.0.0/0", "::/0", "0.0.0.0/0", "everybody", "10.0.0.0/33", "");

const ranges = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: some },
  { weight: 1, arbitrary: oneSided },
  { weight: 1, arbitrary: fc.tuple(some, odd).map(([good, one]) => [...good, one]) },
  { weight: 1, arbitrary: odd.map((one) => [one]) },
);

const annotations = fc
  .record({
    policy: fc.constantFrom(undefined, undefined, "default", "strict", "closed"),
    apply: fc.constantFrom(undefined, undefined, "all", "NodePort", "ExternalIP, ClusterIP", "Ingress,NodePort"),
    denied: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      fc.subarray([...RANGES, "0.0.0.0/0", "nobody"], { minLength: 1, maxLength: 3 }),
    ),
  })
  .map(({ policy, apply, denied }) => ({
    ...(policy === undefined ? {} : { "portolan.dev/source-ranges-policy": policy }),
    ...(apply === undefined ? {} : { "portolan.dev/source-ranges-apply": apply }),
    ...(denied === undefined ? {} : { "portolan.dev/denied-source-ranges": denied.join(", ") }),
  }));

/** Half of the Services have none. */
export const sourcesAtRandom: fc.Arbitrary<RandomSources> = fc.oneof(
  fc.constant({ ranges: undefined, annotations: {} }),
  fc.record({ ranges, annotations }),
);
