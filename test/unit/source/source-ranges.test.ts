// SPDX-License-Identifier: Apache-2.0
// Source ranges and their annotations as they stand in manifests: what cannot be read is named by its place and left
// out, and the Service is there (behaviour row 44).

import { expect, test } from "vitest";
import { readManifest } from "../../../src/source/manifest-file.ts";

function read(annotations: string, ranges: string) {
  const text = `apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {${annotations}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  loadBalancerSourceRanges: [${ranges}]
  ports: [{ port: 80 }]
`;
  const store = { intern: (name: string) => name, reuse: <T>(object: T) => object };
  const { objects, problems } = readManifest("a.yaml", text, new Map(), store);
  const service = objects.get("Service/default/web")?.object;
  return { ranges: service?.kind === "Service" ? service.sourceRanges : "no Service", problems };
}

const range = (address: string, prefixLength: number) => ({ address, prefixLength });

test("row 44: ranges and annotations are read", () => {
  const annotations =
    'portolan.dev/denied-source-ranges: "10.1.0.0/16, ,10.2.0.0/16", portolan.dev/source-ranges-apply: "NodePort", portolan.dev/source-ranges-policy: strict';
  expect(read(annotations, '10.0.0.0/8, " 010.0.0.1/032 "')).toEqual({
    ranges: {
      allowed: [range("10.0.0.0", 8), range("10.0.0.1", 32)],
      denied: [range("10.1.0.0", 16), range("10.2.0.0", 16)],
      strict: true,
      kinds: ["LoadBalancer", "NodePort"],
    },
    problems: [],
  });
});

test("row 44: a Service without any has none", () => {
  expect(read('portolan.dev/source-ranges-apply: "all"', "")).toEqual({ ranges: undefined, problems: [] });
});

test.each([
  ["", "10.0.0.0/8, 10.0.0.0/33", 9, 'spec.loadBalancerSourceRanges[1]: "10.0.0.0/33" is not an address range'],
  ["", '10.0.0.0/8, ""', 9, 'spec.loadBalancerSourceRanges[1]: "" is not an address range'],
  [
    'portolan.dev/denied-source-ranges: "10.0.0.1"',
    "10.0.0.0/8",
    5,
    'metadata.annotations["portolan.dev/denied-source-ranges"]: "10.0.0.1" is not an address range: use one such as 203.0.113.0/24 (until then the rest of it counts)',
  ],
  [
    "portolan.dev/source-ranges-apply: nodeports",
    "10.0.0.0/8",
    5,
    'metadata.annotations["portolan.dev/source-ranges-apply"]: "nodeports" is not known: use LoadBalancer, NodePort, ExternalIP, ClusterIP, all',
  ],
  [
    "portolan.dev/source-ranges-policy: strickt",
    "10.0.0.0/8",
    5,
    'metadata.annotations["portolan.dev/source-ranges-policy"]: "strickt" is not known: use default, strict',
  ],
])("row 44: with %j and [%s] the rest is read and line %i is named", (annotations, ranges, line, message) => {
  const found = read(annotations, ranges);
  expect(found.ranges).toMatchObject({ allowed: [range("10.0.0.0", 8)], denied: [], kinds: ["LoadBalancer"] });
  expect(found.problems).toEqual([expect.objectContaining({ severity: "warning", place: `a.yaml:${line}` })]);
  expect(found.problems[0]?.message).toContain(`Service default/web: ${message}`);
});
