// SPDX-License-Identifier: Apache-2.0
// Topology by the hints of EndpointSlices and the zone of our own Node: behaviour rows 17, 20, 21 and 23.

import { describe, expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import { appear, changes, endpoint, type Json, memberLines, service, slice } from "./manifest.ts";

/** An endpoint on a node, with the nodes and zones its hints name. */
function at(address: string, nodeName: string, nodes: readonly string[], zones: readonly string[], state: Json = {}) {
  const names = (list: readonly string[]) => list.map((name) => ({ name }));
  return { ...endpoint(address, nodeName, state), hints: { forNodes: names(nodes), forZones: names(zones) } };
}

function nodeObject(name: string, zone: string | undefined): Json {
  const labels = zone === undefined ? {} : { "topology.kubernetes.io/zone": zone };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
}

const A = "10.244.0.1";
const B = "10.244.1.1";
const C = "10.244.2.1";
const notReady = { ready: false };
const draining = { ready: false, serving: true, terminating: true };

/** The Cluster set of a Service on node `here` of that zone. */
function clusterAt(zone: string | undefined, endpoints: readonly Json[]): readonly string[] {
  const { delta } = new Compiler("here").update(appear(nodeObject("here", zone), service(), slice(endpoints)));
  return delta.upsert.flatMap((one) => memberLines(one.cluster));
}

describe("row 20: the Cluster set", () => {
  test.each<[string, readonly Json[], readonly string[]]>([
    [
      "holds the endpoints meant for this node",
      [at(A, "x", ["here"], []), at(B, "y", ["there"], [])],
      ["10.244.0.1:8080"],
    ],
    [
      "holds the endpoints meant for this node's zone",
      [at(A, "x", [], ["z1"]), at(B, "y", [], ["z2"]), at(C, "w", [], ["z1"])],
      ["10.244.0.1:8080", "10.244.2.1:8080"],
    ],
    [
      "goes by node hints before zone hints",
      [at(A, "x", ["here"], ["z2"]), at(B, "y", ["there"], ["z1"])],
      ["10.244.0.1:8080"],
    ],
    [
      "goes by zone hints when no node hint names this node",
      [at(A, "x", ["there"], ["z1"]), at(B, "y", ["there"], ["z2"])],
      ["10.244.0.1:8080"],
    ],
    [
      "goes by zone hints when one ready endpoint has no node hint",
      [at(A, "x", ["here"], ["z2"]), at(B, "y", [], ["z1"])],
      ["10.244.1.1:8080"],
    ],
    [
      "is whole when one ready endpoint has no hint",
      [at(A, "x", ["here"], ["z1"]), endpoint(B, "y")],
      ["10.244.0.1:8080", "10.244.1.1:8080"],
    ],
    [
      "is whole when no hint names this node or its zone",
      [at(A, "x", ["there"], ["z2"]), at(B, "y", ["there"], ["z3"])],
      ["10.244.0.1:8080", "10.244.1.1:8080"],
    ],
    [
      "holds an endpoint meant for several zones in each of them",
      [at(A, "x", [], ["z2", "z1"]), at(B, "y", [], ["z2"])],
      ["10.244.0.1:8080"],
    ],
    [
      "holds an endpoint meant for several nodes on each of them",
      [at(A, "x", ["there", "here"], []), at(B, "y", ["there"], [])],
      ["10.244.0.1:8080"],
    ],
    [
      "is not widened by an endpoint without a hint that is not ready",
      [at(A, "x", [], ["z1"]), at(B, "y", [], ["z2"]), endpoint(C, "w", notReady)],
      ["10.244.0.1:8080"],
    ],
    [
      "is not narrowed by an endpoint for this zone that is not ready",
      [at(A, "x", [], ["z1"], notReady), at(B, "y", [], ["z2"])],
      ["10.244.1.1:8080"],
    ],
    ["follows the hint, not the place", [at(A, "here", ["there"], []), at(B, "y", ["here"], [])], ["10.244.1.1:8080"]],
    [
      "is whole when the lists of hints are empty",
      [at(A, "x", [], []), at(B, "y", [], ["z2"])],
      ["10.244.0.1:8080", "10.244.1.1:8080"],
    ],
  ])("%s", (_claim, endpoints, expected) => {
    expect(clusterAt("z1", endpoints)).toEqual(expected);
  });

  test("is whole on a node without a zone when hints name zones", () => {
    const both = ["10.244.0.1:8080", "10.244.1.1:8080"];
    expect(clusterAt(undefined, [at(A, "x", [], ["z1"]), at(B, "y", [], ["z2"])])).toEqual(both);
  });

  test("is decided for each family by that family's endpoints", () => {
    const six = slice([endpoint("fd00::1"), at("fd00::2", "y", [], ["z1"])], {
      addressType: "IPv6",
      metadata: { name: "web-6", labels: { "kubernetes.io/service-name": "web" } },
    });
    const dual = service({ clusterIPs: ["10.96.0.10", "fd00:96::a"] });
    const four = slice([at(A, "x", [], ["z1"]), at(B, "y", [], ["z2"])]);
    const { delta } = new Compiler("here").update(appear(nodeObject("here", "z1"), dual, four, six));
    expect(delta.upsert.map((one) => memberLines(one.cluster))).toEqual([
      ["10.244.0.1:8080"],
      ["fd00::1:8080", "fd00::2:8080"],
    ]);
  });
});

test("row 17: the fallback to terminating endpoints ignores topology", () => {
  const ending = [at(A, "x", ["here"], ["z1"], draining), at(B, "y", ["there"], ["z2"], draining)];
  expect(clusterAt("z1", ending)).toEqual(["10.244.0.1:8080 terminating", "10.244.1.1:8080 terminating"]);
});

test("row 17: ready endpoints of other zones come before terminating ones of this zone", () => {
  const mixed = [at(A, "x", [], ["z1"], draining), at(B, "y", [], ["z2"])];
  expect(clusterAt("z1", mixed)).toEqual(["10.244.1.1:8080"]);
});

test("row 21: topology narrows the Cluster set and leaves the Local set whole", () => {
  const ports = [{ name: "http", port: 80, nodePort: 30080 }];
  const local = service({ type: "NodePort", externalTrafficPolicy: "Local", ports });
  const endpoints = [at(A, "here", ["there"], ["z2"]), at(B, "here", ["here"], ["z1"]), at(C, "y", ["there"], [])];
  const { delta } = new Compiler("here").update(appear(nodeObject("here", "z1"), local, slice(endpoints)));
  expect(delta.upsert.map((one) => [memberLines(one.cluster), memberLines(one.local)])).toEqual([
    [["10.244.1.1:8080 local"], ["10.244.0.1:8080 local", "10.244.1.1:8080 local"]],
  ]);
});

test("row 11: of two endpoints with one address that differ in hints the same one counts, whichever came first", () => {
  const named = (name: string) => ({ metadata: { name, labels: { "kubernetes.io/service-name": "web" } } });
  const twins = [slice([at(A, "x", ["here"], [])], named("a")), slice([at(A, "x", [], [])], named("b"))];
  const other = slice([at(B, "y", ["there"], [])], named("c"));
  const sets = [twins, [...twins].reverse()].map((order) =>
    new Compiler("here").update(appear(service(), ...order, other)).delta.upsert.map((one) => memberLines(one.cluster)),
  );
  expect(sets[0]).toEqual(sets[1]);
});

describe("row 23: the zone of our own Node", () => {
  const named = (name: string, kind: "" | "-1") => ({
    metadata: { name: `${name}${kind}`, labels: { "kubernetes.io/service-name": name } },
  });
  const zoned = slice([at(A, "x", [], ["z1"]), at(B, "y", [], ["z2"])]);
  const api = service({ clusterIP: "10.96.0.11" }, named("api", ""));
  const plain = slice([at(C, "x", ["here"], []), endpoint(A, "y")], named("api", "-1"));

  function started(zone: string | undefined): Compiler {
    const compiler = new Compiler("here");
    compiler.update(appear(nodeObject("here", zone), service(), zoned, api, plain));
    return compiler;
  }

  test("that changes changes the Services whose endpoints have zone hints, and no others", () => {
    const compiler = started("z1");
    const { delta } = compiler.update(changes([[nodeObject("here", "z1"), nodeObject("here", "z2")]]));
    expect(delta.remove).toEqual([]);
    expect(delta.upsert.map((one) => [one.name, memberLines(one.cluster)])).toEqual([["web", ["10.244.1.1:8080"]]]);
  });

  test("that appears after the Services narrows them, and gone again widens them", () => {
    const compiler = started(undefined);
    const labelled = compiler.update(changes([[nodeObject("here", undefined), nodeObject("here", "z1")]])).delta;
    expect(labelled.upsert.flatMap((one) => memberLines(one.cluster))).toEqual(["10.244.0.1:8080"]);
    const bare = compiler.update(changes([[nodeObject("here", "z1"), nodeObject("here", undefined)]])).delta;
    expect(bare.upsert.flatMap((one) => memberLines(one.cluster))).toEqual(["10.244.0.1:8080", "10.244.1.1:8080"]);
  });

  test("stays in force while the Node object is gone", () => {
    const { delta } = started("z1").update(changes([[nodeObject("here", "z1"), undefined]]));
    expect(delta).toEqual({ upsert: [], remove: [] });
  });

  test("is not that of another Node", () => {
    expect(started("z1").update(appear(nodeObject("there", "z2"))).delta).toEqual({ upsert: [], remove: [] });
  });

  test("no longer matters to a Service that lost its zone hints", () => {
    const compiler = started("z1");
    const unhinted = slice([endpoint(A, "x"), endpoint(B, "y")]);
    compiler.update(changes([[zoned, unhinted]]));
    const { delta } = compiler.update(changes([[nodeObject("here", "z1"), nodeObject("here", "z2")]]));
    expect(delta).toEqual({ upsert: [], remove: [] });
  });
});

test("row 20: hints that come and go with the endpoints unchanged narrow and widen the set", () => {
  const compiler = new Compiler("here");
  const without = slice([endpoint(A, "x"), endpoint(B, "y")]);
  const hints = slice([at(A, "x", ["here"], []), at(B, "y", ["there"], [])]);
  compiler.update(appear(service(), without));
  const narrowed = compiler.update(changes([[without, hints]])).delta;
  expect(narrowed.upsert.flatMap((one) => memberLines(one.cluster))).toEqual(["10.244.0.1:8080"]);
  const widened = compiler.update(changes([[hints, without]])).delta;
  expect(widened.upsert.flatMap((one) => memberLines(one.cluster))).toEqual(["10.244.0.1:8080", "10.244.1.1:8080"]);
});
