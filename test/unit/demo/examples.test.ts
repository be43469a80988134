// SPDX-License-Identifier: Apache-2.0
// examples/ and the demo's network are written apart; they must name the same nodes, pods and addresses.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { plan } from "../../../src/demo/lab/plan.ts";
import { DEMO_NODES, WEB_PODS } from "../../../src/demo/questions.ts";

const lab = plan("pt-0", "/cgroup", "/tmp", DEMO_NODES);
const pods = lab.nodes.flatMap((node) => node.pods);

function documents(file: string): readonly Record<string, unknown>[] {
  const text = readFileSync(new URL(`../../../examples/${file}`, import.meta.url), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);
}

test("every endpoint of the examples is a pod of the demo, on the node that it says", () => {
  const slices = documents("web-endpoints.yaml");
  const endpoints = slices.flatMap((slice) => slice.endpoints as Record<string, unknown>[]);
  const written = endpoints.map((endpoint) => [
    (endpoint.targetRef as { name: string }).name,
    endpoint.nodeName,
    (endpoint.addresses as string[])[0],
  ]);
  const made = (["v4", "v6"] as const).flatMap((family) =>
    WEB_PODS.map((name) => pods.find((pod) => pod.name === name)).map((pod) => [
      pod?.name,
      pod?.nodeName,
      pod?.address[family],
    ]),
  );
  expect(written).toEqual(made);
});

test("the nodes of the examples have the demo's names, addresses and pod ranges", () => {
  const written = documents("nodes.yaml").map((node) => [
    (node.metadata as { name: string }).name,
    (node.status as { addresses: { address: string }[] }).addresses.slice(0, 2).map(({ address }) => address),
    (node.spec as { podCIDRs: string[] }).podCIDRs,
  ]);
  const made = lab.nodes.map((node) => [
    node.name,
    [node.address.v4, node.address.v6],
    [node.podRange.v4, node.podRange.v6],
  ]);
  expect(written).toEqual(made);
});
