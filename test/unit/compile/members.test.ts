// SPDX-License-Identifier: Apache-2.0
// Which endpoints a Service gets, and in what order: behaviour rows 2, 6, 9-11 and 15-19.

import { describe, expect, test } from "vitest";
import { compile, endpoint, type Json, memberLines, service, slice } from "./manifest.ts";

const ready = {};
const notReady = { ready: false, serving: false };
const draining = { ready: false, serving: true, terminating: true };
const dying = { ready: false, serving: false, terminating: true };
const named = (name: string, labels: object = {}) => ({
  metadata: { name, labels: { "kubernetes.io/service-name": "web", ...labels } },
});

/** Cluster members of the first compiled service. */
function cluster(...objects: readonly Json[]): readonly string[] {
  return memberLines(compile(...objects)[0]?.cluster ?? []);
}

describe("slices", () => {
  test.each([
    [
      "row 2: a slice labelled headless is left alone",
      [slice([endpoint("10.244.1.1")], named("a", { "service.kubernetes.io/headless": "" }))],
      [],
    ],
    [
      "row 2: a slice without a Service's name is left alone",
      [slice([endpoint("10.244.1.1")], { metadata: { name: "a" } })],
      [],
    ],
    [
      "row 6: a slice of addressType FQDN is left alone",
      [slice([{ addresses: ["example.org"] }], { addressType: "FQDN" })],
      [],
    ],
    [
      "row 6: IPv6 endpoints are none of an IPv4 Service's",
      [slice([endpoint("fd00::1")], { addressType: "IPv6" })],
      [],
    ],
    [
      "row 9: only the first address of an endpoint counts",
      [slice([{ addresses: ["10.244.1.1", "10.244.1.2"] }])],
      ["10.244.1.1:8080"],
    ],
    [
      "row 9: a slice port of another name is not the Service's",
      [slice([endpoint("10.244.1.1")], { ports: [{ name: "x", port: 1 }] })],
      [],
    ],
    [
      "row 9: nor is one of another protocol",
      [slice([endpoint("10.244.1.1")], { ports: [{ name: "http", port: 1, protocol: "UDP" }] })],
      [],
    ],
    [
      "row 9: a slice port without a number is ignored",
      [slice([endpoint("10.244.1.1")], { ports: [{ name: "http" }] })],
      [],
    ],
    ["row 9: so is one with number 0", [slice([endpoint("10.244.1.1")], { ports: [{ name: "http", port: 0 }] })], []],
    [
      "row 9: endpoints of one service port may have ports of their own",
      [
        slice([endpoint("10.244.1.1")], named("a")),
        slice([endpoint("10.244.1.2")], { ...named("b"), ports: [{ name: "http", port: 9090 }] }),
      ],
      ["10.244.1.1:8080", "10.244.1.2:9090"],
    ],
    [
      "several slices of a Service add up",
      [slice([endpoint("10.244.1.2")], named("a")), slice([endpoint("10.244.1.1")], named("b"))],
      ["10.244.1.1:8080", "10.244.1.2:8080"],
    ],
  ])("%s", (_claim, slices, expected) => {
    expect(cluster(service(), ...slices)).toEqual(expected);
  });

  test("row 6: each family of a dual-stack Service has its own slices", () => {
    const dual = service({ clusterIPs: ["10.96.0.10", "fd00:96::a"] });
    const six = slice([endpoint("fd00:244::1")], { ...named("six"), addressType: "IPv6" });
    const services = compile(dual, slice([endpoint("10.244.1.1")]), six);
    expect(services.map((one) => memberLines(one.cluster))).toEqual([["10.244.1.1:8080"], ["fd00:244::1:8080"]]);
  });

  test("an unnamed slice port is an unnamed service port's, as the API server fills it in", () => {
    const unnamed = slice([endpoint("10.244.1.1")], { ports: [{ port: 8080 }] });
    expect(cluster(service({ ports: [{ port: 80 }] }), unnamed)).toEqual(["10.244.1.1:8080"]);
  });
});

describe("conditions", () => {
  test.each([
    ["row 10: no conditions mean ready", ready, ["10.244.1.1:8080"]],
    ["row 10: null conditions mean ready", { ready: null, serving: null, terminating: null }, ["10.244.1.1:8080"]],
    [
      "row 16: ready counts even while terminating",
      { ready: true, terminating: true },
      ["10.244.1.1:8080 terminating"],
    ],
    ["row 17: not ready and not terminating is never used", { ready: false, serving: true }, []],
    ["row 17: terminating and serving is used if nothing is ready", draining, ["10.244.1.1:8080 terminating"]],
    ["row 17: terminating and not serving is not", dying, []],
  ])("%s", (_claim, conditions, expected) => {
    expect(cluster(service(), slice([endpoint("10.244.1.1", "there", conditions)]))).toEqual(expected);
  });

  test("row 16: one that is ready is used beside others while it terminates", () => {
    const both = slice([endpoint("10.244.1.1", "there", { ready: true, terminating: true }), endpoint("10.244.1.2")]);
    expect(cluster(service(), both)).toEqual(["10.244.1.1:8080 terminating", "10.244.1.2:8080"]);
  });

  test("row 10: an endpoint without a node name is never local", () => {
    expect(cluster(service(), slice([endpoint("10.244.1.1")]))).toEqual(["10.244.1.1:8080"]);
  });

  test.each([
    ["terminating", [draining, ready], ["10.244.1.1:8080"]],
    ["terminating, the other way round", [ready, draining], ["10.244.1.1:8080"]],
    ["not ready", [notReady, ready], ["10.244.1.1:8080"]],
    ["terminating, though ready,", [{ ready: true, terminating: true }, notReady], []],
  ])("row 11: of two endpoints with one address the one that is not %s counts", (_state, states, expected) => {
    const slices = states.map((state, i) => slice([endpoint("10.244.1.1", "there", state)], named(`s${i}`)));
    expect(cluster(service(), ...slices)).toEqual(expected);
  });
});

describe("policies", () => {
  const both = [endpoint("10.244.0.1", "here"), endpoint("10.244.1.1", "there")];
  const localEnding = [endpoint("10.244.0.1", "here", draining), endpoint("10.244.1.1", "there")];
  const allEnding = [endpoint("10.244.0.1", "here", draining), endpoint("10.244.1.1", "there", draining)];
  const remote = [endpoint("10.244.1.1", "there")];
  const internal = { internalTrafficPolicy: "Local" };
  const external = {
    type: "NodePort",
    externalTrafficPolicy: "Local",
    ports: [{ name: "http", port: 80, nodePort: 30080 }],
  };

  test.each([
    ["row 15: policy Cluster has no Local set", {}, both, ["10.244.0.1:8080 local", "10.244.1.1:8080"], [], true],
    [
      "row 15: an internal Local policy alone needs no Cluster set",
      internal,
      both,
      [],
      ["10.244.0.1:8080 local"],
      true,
    ],
    [
      "row 15: an external Local policy needs both sets",
      external,
      both,
      ["10.244.0.1:8080 local", "10.244.1.1:8080"],
      ["10.244.0.1:8080 local"],
      true,
    ],
    [
      "row 15: so do two Local policies, for the short-circuit",
      { ...internal, ...external },
      both,
      ["10.244.0.1:8080 local", "10.244.1.1:8080"],
      ["10.244.0.1:8080 local"],
      true,
    ],
    [
      "row 18: the Local set falls back to terminating ones by itself",
      external,
      localEnding,
      ["10.244.1.1:8080"],
      ["10.244.0.1:8080 local terminating"],
      true,
    ],
    [
      "row 17: the Cluster set falls back cluster-wide",
      external,
      allEnding,
      ["10.244.0.1:8080 local terminating", "10.244.1.1:8080 terminating"],
      ["10.244.0.1:8080 local terminating"],
      true,
    ],
    ["row 19: endpoints elsewhere leave an empty Local set that drops", internal, remote, [], [], true],
    ["row 19: no endpoint anywhere rejects", internal, [endpoint("10.244.1.1", "there", notReady)], [], [], false],
    [
      "row 19: terminating and serving ones elsewhere are endpoints too",
      internal,
      [endpoint("10.244.1.1", "there", draining)],
      [],
      [],
      true,
    ],
  ])("%s", (_claim, spec, endpoints, clusterSet, localSet, hasAny) => {
    const [compiled] = compile(service(spec), slice(endpoints));
    expect(memberLines(compiled?.cluster ?? [])).toEqual(clusterSet);
    expect(memberLines(compiled?.local ?? [])).toEqual(localSet);
    expect(compiled?.hasAnyEndpoints).toBe(hasAny);
  });
});

test("members come local first, then by address bytes and port", () => {
  const endpoints = [
    endpoint("10.244.1.10", "there"),
    endpoint("10.244.1.9", "there"),
    endpoint("10.244.2.1", "here"),
    endpoint("9.0.0.1", "there"),
    endpoint("10.244.0.200", "here"),
  ];
  const second = slice([endpoint("10.244.1.9", "there")], { ...named("b"), ports: [{ name: "http", port: 81 }] });
  expect(cluster(service(), slice(endpoints), second)).toEqual([
    "10.244.0.200:8080 local",
    "10.244.2.1:8080 local",
    "9.0.0.1:8080",
    "10.244.1.9:81",
    "10.244.1.9:8080",
    "10.244.1.10:8080",
  ]);
});
