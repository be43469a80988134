// SPDX-License-Identifier: Apache-2.0
// Endpoints that datagrams of a flow keep to although nothing new goes there: behaviour row 58.

import { describe, expect, test } from "vitest";
import { compile, endpoint, type Json, memberLines, service, slice } from "./manifest.ts";

const A = "10.244.0.1";
const B = "10.244.1.1";
const C = "10.244.2.1";
const draining = { ready: false, serving: true, terminating: true };
const unready = { ready: false, serving: false, terminating: false };
const booting = { ready: true, serving: false, terminating: false };
const gone = { ready: false, serving: false, terminating: true };
const hinted = (object: Json, zone: string) => ({ ...object, hints: { forZones: [{ name: zone }] } });

const ports = (protocol: string) => [{ name: "http", port: 80, protocol }];

/** [cluster, local, serving] of one Service of this protocol on node `here` in zone z1. */
function sets(protocol: string, spec: Json, endpoints: readonly Json[], metadata: Json = { name: "web" }) {
  const node = { apiVersion: "v1", kind: "Node", metadata: zone("here", "z1") };
  const web = service({ ports: ports(protocol), ...spec }, { metadata });
  const slices = slice(endpoints, { ports: [{ name: "http", port: 8080, protocol }] });
  const [compiled] = compile(node, web, slices);
  if (!compiled) throw new Error("nothing was compiled");
  return [compiled.cluster, compiled.local, compiled.serving].map((set) => memberLines(set).join(", "));
}

function zone(name: string, value: string): Json {
  return { name, labels: { "topology.kubernetes.io/zone": value } };
}

describe("row 58: UDP flows keep to", () => {
  test.each<[string, Json, readonly Json[], readonly string[]]>([
    [
      "an endpoint that terminates while others are ready",
      {},
      [endpoint(A, "here", draining), endpoint(B, "there")],
      ["10.244.1.1:8080", "", "10.244.0.1:8080 local terminating"],
    ],
    [
      "an endpoint of another zone",
      {},
      [hinted(endpoint(A, "x"), "z1"), hinted(endpoint(B, "y"), "z2")],
      ["10.244.0.1:8080", "", "10.244.1.1:8080"],
    ],
    [
      "an endpoint of another node under policy Local",
      { internalTrafficPolicy: "Local" },
      [endpoint(A, "here"), endpoint(B, "there"), endpoint(C, "there", draining)],
      ["", "10.244.0.1:8080 local", "10.244.1.1:8080, 10.244.2.1:8080 terminating"],
    ],
    [
      "an endpoint of another zone that is ready without serving (publishNotReadyAddresses)",
      {},
      [hinted(endpoint(A, "x"), "z1"), hinted(endpoint(B, "y", booting), "z2")],
      ["10.244.0.1:8080", "", "10.244.1.1:8080"],
    ],
    [
      "no endpoint that serves no more",
      {},
      [endpoint(A, "here", gone), endpoint(B, "there"), endpoint(C, "there", unready)],
      ["10.244.1.1:8080", "", ""],
    ],
    [
      "no endpoint beside a set that has it already",
      {},
      [endpoint(A, "here", draining), endpoint(B, "there", draining)],
      ["10.244.0.1:8080 local terminating, 10.244.1.1:8080 terminating", "", ""],
    ],
  ])("%s", (_, spec, endpoints, expected) => {
    expect(sets("UDP", spec, endpoints)).toEqual(expected);
  });
});

test("row 61: so does TCP whose Service ends its connections with their endpoint, and no other protocol", () => {
  const metadata = { name: "web", annotations: { "portolan.dev/terminate-connections": "true" } };
  const endpoints = [endpoint(A, "here", draining), endpoint(B, "there")];
  expect(sets("TCP", {}, endpoints, metadata)).toEqual(["10.244.1.1:8080", "", "10.244.0.1:8080 local terminating"]);
  expect(sets("SCTP", {}, endpoints, metadata)).toEqual(["10.244.1.1:8080", "", ""]);
  const protocols = ["TCP", "UDP", "SCTP"].map((protocol) => ({ name: protocol.toLowerCase(), port: 80, protocol }));
  const compiled = compile(
    service({ ports: protocols }, { metadata }),
    service({ ports: protocols }, { metadata: { name: "x" } }),
  );
  const ending = compiled.filter(({ endsConnections }) => endsConnections).map(({ key }) => key);
  expect(ending).toEqual(["default/web:tcp/TCP/IPv4"]);
});

test("row 61: TCP keeps its endpoint in any case, so nothing is kept for it", () => {
  const endpoints = [endpoint(A, "here", draining), endpoint(B, "there")];
  expect(sets("TCP", {}, endpoints)).toEqual(["10.244.1.1:8080", "", ""]);
});
