// SPDX-License-Identifier: Apache-2.0
// What of topology is read from manifests: the zone of a Node, the hints of endpoints (behaviour row 20).

import { expect, test } from "vitest";
import { readManifest } from "../../../src/source/manifest-file.ts";

function read(text: string) {
  return readManifest("a.yaml", text, new Map(), { intern: (name) => name, reuse: (object) => object });
}

function hintedSlice(hints: string): string {
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1 }
addressType: IPv4
endpoints:
  - addresses: [10.244.1.1]
    hints: {${hints}}
`;
}

test("row 20: a Node says its zone, with and without the label", () => {
  const zoneOf = (labels: string) => {
    const text = `apiVersion: v1\nkind: Node\nmetadata: { name: node-1, labels: {${labels}} }\n`;
    return read(text).objects.get("Node//node-1")?.object;
  };
  expect(zoneOf("topology.kubernetes.io/zone: eu-1a")).toMatchObject({ zone: "eu-1a" });
  expect(zoneOf('topology.kubernetes.io/zone: ""')).toMatchObject({ zone: undefined });
  expect(zoneOf("topology.kubernetes.io/region: eu-1")).toMatchObject({ zone: undefined });
});

test.each([
  ["forZones: [{ name: z1 }, { name: z2 }]", { forNodes: [], forZones: ["z1", "z2"] }],
  ["forNodes: [{ name: n1 }], forZones: [{ name: z1 }]", { forNodes: ["n1"], forZones: ["z1"] }],
  ["forZones: []", undefined],
  ["", undefined],
])("row 20: an endpoint holds its hints: %s", (hints, expected) => {
  const { objects, problems } = read(hintedSlice(hints));
  expect(problems).toEqual([]);
  expect(objects.get("EndpointSlice/default/web-1")?.object).toMatchObject({ endpoints: [{ hints: expected }] });
});

test("a hint that names nothing is refused by its place", () => {
  const { problems } = read(hintedSlice("forZones: [{ zone: z1 }]"));
  expect(problems.map(({ message }) => message)).toEqual([
    expect.stringContaining("endpoints[0].hints.forZones[0].name: is missing: set it"),
  ]);
});
