// SPDX-License-Identifier: Apache-2.0
// Health checks of load balancers (behaviour row 66): which there are, what they count, and what a change touches.

import { expect, test } from "vitest";
import { HealthChecks } from "../../../src/health/health-checks.ts";
import { appear, changes, endpoint, type Json, service, slice } from "../compile/manifest.ts";
import { ip } from "../devices/builders.ts";

const CHECKED: Json = { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 30500 };
const DUAL: Json = { ...CHECKED, clusterIP: undefined, clusterIPs: ["10.96.0.10", "fd00:96::10"] };
const DRAINING = { ready: false, serving: true, terminating: true };
const LABEL = { "kubernetes.io/service-name": "web" };

function slice6(endpoints: readonly Json[], more: Json = {}): Json {
  return slice(endpoints, { addressType: "IPv6", metadata: { name: "web-6", labels: LABEL }, ...more });
}

/** `default/web :30500 IPv4 1 IPv6 2`; without numbers: not health-checked. */
function lines(checks: HealthChecks, ...steps: Parameters<HealthChecks["update"]>): readonly string[] {
  return [...checks.update(...steps).checks].map(([key, check]) => {
    if (!check) return key;
    return [key, `:${check.port}`, ...[...check.localEndpoints].map(([family, n]) => `IPv${family} ${n}`)].join(" ");
  });
}

test("row 66: of each family, distinct addresses of ready endpoints on this node are counted over all slices and ports", () => {
  const ports = [
    { name: "http", port: 8080 },
    { name: "metrics", port: 9090 },
  ];
  const here = [
    endpoint("10.244.0.1", "here"),
    endpoint("10.244.0.2", "here", DRAINING),
    endpoint("10.244.0.3", "here", { ready: false }),
    endpoint("10.244.1.1", "there"),
    endpoint("10.244.1.2"),
  ];
  const again = slice([endpoint("10.244.0.1", "here"), endpoint("10.244.0.4", "here", { ready: true })], {
    metadata: { name: "web-2", labels: LABEL },
  });
  const six = slice6([
    endpoint("fd00:244::1", "here"),
    endpoint("fd00:244::2", "here"),
    endpoint("fd00:244::3", "here"),
  ]);
  const state = appear(service(DUAL), slice(here, { ports }), again, six);
  expect(lines(new HealthChecks("here"), state)).toEqual(["default/web :30500 IPv4 2 IPv6 3"]);
  expect(lines(new HealthChecks("there"), state)).toEqual(["default/web :30500 IPv4 1 IPv6 0"]);
});

test.each([
  ["of another type", { type: "NodePort" }],
  ["with policy Cluster", { externalTrafficPolicy: "Cluster" }],
  ["without a port", { healthCheckNodePort: 0 }],
  ["headless", { clusterIP: "None" }],
])("row 66: a Service %s is not health-checked", (_what, spec) => {
  expect(lines(new HealthChecks("here"), appear(service({ ...CHECKED, ...spec })))).toEqual([]);
});

test("row 66: a Service has no count of a family it is not in", () => {
  const state = appear(service(CHECKED), slice6([endpoint("fd00:244::1", "here")]));
  expect(lines(new HealthChecks("here"), state)).toEqual(["default/web :30500 IPv4 0"]);
});

test("row 66: slices that come before their Service count", () => {
  const checks = new HealthChecks("here");
  lines(checks, appear(slice([endpoint("10.244.0.1", "here")])));
  expect(lines(checks, appear(service(CHECKED)))).toEqual(["default/web :30500 IPv4 1"]);
});

test.each([
  ["headless", { metadata: { name: "web-1", labels: { ...LABEL, "service.kubernetes.io/headless": "" } } }],
  ["without ports", { ports: [] }],
  ["of another Service", { metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "api" } } }],
])("row 66: a slice that is %s does not count", (_what, other) => {
  const state = appear(service(CHECKED), slice([endpoint("10.244.0.1", "here")], other));
  expect(lines(new HealthChecks("here"), state)).toContain("default/web :30500 IPv4 0");
});

test("row 66: a change touches its own Service only", () => {
  const checks = new HealthChecks("here");
  const api = service(
    { ...CHECKED, clusterIP: "10.96.0.11", healthCheckNodePort: 30501 },
    { metadata: { name: "api" } },
  );
  const before = slice([endpoint("10.244.0.1", "here")]);
  const drained = slice([endpoint("10.244.0.1", "here", DRAINING)]);
  const far = slice([endpoint("10.244.1.1", "there")], { metadata: { name: "web-far", labels: LABEL } });
  lines(checks, appear(service(CHECKED), api, before));
  expect(lines(checks, changes([[before, drained]]))).toEqual(["default/web :30500 IPv4 0"]);
  expect(lines(checks, appear(far))).toEqual([]);
  expect(lines(checks, changes([[drained, before]]))).toEqual(["default/web :30500 IPv4 1"]);
  expect(lines(checks, changes([[before, undefined]]))).toEqual(["default/web :30500 IPv4 0"]);
});

test("row 67: another port, another policy and the end of a Service are told", () => {
  const checks = new HealthChecks("here");
  const web = service(CHECKED);
  const moved = service({ ...CHECKED, healthCheckNodePort: 30600 });
  const cluster = service({ ...CHECKED, externalTrafficPolicy: "Cluster" });
  lines(checks, appear(web, slice([endpoint("10.244.0.1", "here")])));
  expect(lines(checks, changes([[web, moved]]))).toEqual(["default/web :30600 IPv4 1"]);
  expect(lines(checks, changes([[moved, cluster]]))).toEqual(["default/web"]);
  expect(lines(checks, changes([[cluster, web]]))).toEqual(["default/web :30500 IPv4 1"]);
  expect(lines(checks, changes([[web, undefined]]))).toEqual(["default/web"]);
  expect(lines(checks, appear(service({}, { metadata: { name: "plain" } })))).toEqual([]);
});

const CLASH =
  "Service default/web: healthCheckNodePort 30500 is a node port of Service default/api, which gets what arrives there, so health checks of this one are not answered: give it a port of its own";

test("row 66: a health check port that is a TCP node port of some Service is warned about, once each time it comes to be", () => {
  const checks = new HealthChecks("here");
  const warnings = (...steps: Parameters<HealthChecks["update"]>) => checks.update(...steps).warnings;
  const api = (nodePort: number, protocol = "TCP") =>
    service(
      { type: "NodePort", clusterIP: "10.96.0.11", ports: [{ port: 80, nodePort, protocol }] },
      { metadata: { name: "api" } },
    );
  expect(warnings(appear(service(CHECKED), api(30500, "UDP")))).toEqual([]);
  expect(warnings(changes([[api(30500, "UDP"), api(30500)]]))).toEqual([CLASH]);
  expect(warnings(changes([[service(CHECKED), service({ ...CHECKED, sessionAffinity: "None" })]]))).toEqual([]);
  expect(warnings(changes([[api(30500), api(30501)]]))).toEqual([]);
  expect(warnings(changes([[api(30501), api(30500)]]))).toEqual([CLASH]);
  expect(warnings(changes([[api(30500), undefined]]))).toEqual([]);
});

test("row 66: what an earlier agent served counts until an endpoint of that family is known, or all is", () => {
  const half = (state: ReturnType<typeof appear>) => ({ ...state, synced: false });
  const earlier = new Map([["default/web", [ip("10.244.0.1"), ip("10.244.0.2"), ip("fd00:244::1")]]]);
  const checks = new HealthChecks("here", earlier);
  const here = slice([endpoint("10.244.0.2", "here"), endpoint("10.244.9.1", "there")]);
  const left = slice([endpoint("10.244.9.1", "there")]);
  expect(lines(checks, half(appear(service(DUAL))))).toEqual(["default/web :30500 IPv4 2 IPv6 1"]);
  // The datapath now sends new connections to these alone.
  expect(lines(checks, half(appear(here)))).toEqual(["default/web :30500 IPv4 1 IPv6 1"]);
  expect(lines(checks, half(changes([[here, left]])))).toEqual(["default/web :30500 IPv4 0 IPv6 1"]);
  expect(lines(checks, appear())).toEqual(["default/web :30500 IPv4 0 IPv6 0"]);
  expect(lines(checks, appear())).toEqual([]);
});

test("row 66: an endpoint elsewhere is known as well, one that is of no use is not", () => {
  const half = (state: ReturnType<typeof appear>) => ({ ...state, synced: false });
  const checks = new HealthChecks("here", new Map([["default/web", [ip("10.244.0.1")]]]));
  expect(lines(checks, half(appear(service(CHECKED))))).toEqual(["default/web :30500 IPv4 1"]);
  const booting = slice([endpoint("10.244.9.1", "there", { ready: false, serving: false, terminating: false })]);
  expect(lines(checks, half(appear(booting)))).toEqual([]);
  const leaving = slice([endpoint("10.244.9.1", "there", { ready: false, serving: true, terminating: true })]);
  expect(lines(checks, half(changes([[booting, leaving]])))).toEqual(["default/web :30500 IPv4 0"]);
});
