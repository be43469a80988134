// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { composeAnswer, type Decision, type Entry } from "../../../src/inspect/answer.ts";
import { parseQuestion } from "../../../src/inspect/question.ts";

const QUESTION = parseQuestion("203.0.113.2", "172.30.0.41:80");
const OUTSIDE: Entry = { client: "outside", device: "eth0", socket: false };
const POD: Entry = { client: "pod", device: null, socket: true };
const HOST: Entry = { client: "host", device: null, socket: true };
const DNAT: Decision = {
  verdict: "dnat",
  client: "outside",
  detectLocalMode: "Device",
  dropReason: "none",
  service: {
    name: "ns1/svc1:http",
    endpoints: ["10.180.0.1:80", "10.180.0.2:80"],
    scheduler: "Maglev",
    affinitySeconds: 0,
  },
  kind: "a ClusterIP",
  chosen: "10.180.0.2:80",
  masquerade: true,
  existing: false,
  policy: "Cluster",
  affinity: "none",
  sourceRange: undefined,
};
const PASS: Decision = { ...DNAT, verdict: "pass", service: undefined, kind: "", chosen: null, masquerade: false };
const REJECT: Decision = {
  ...DNAT,
  verdict: "reject",
  dropReason: "no_endpoints",
  service: { name: "ns1/svc1:http", endpoints: [], scheduler: "random choice", affinitySeconds: 0 },
  chosen: null,
  masquerade: false,
};

test("an answer carries the candidates, the choice and the NAT in the documented JSON", () => {
  expect(JSON.stringify(composeAnswer(QUESTION, OUTSIDE, DNAT))).toBe(
    '{"verdict":"dnat","endpoints":["10.180.0.1:80","10.180.0.2:80"],"chosen":"10.180.0.2:80","masquerade":true,' +
      '"service":"ns1/svc1:http","reason":"a client from outside, by eth0; 172.30.0.41:80/TCP is a ClusterIP of ' +
      "ns1/svc1:http; chosen from 2 endpoints by Maglev, traffic policy Cluster; masqueraded: the backend sees a node " +
      'address"}',
  );
});

test("session affinity is named as the reason, or as what begins", () => {
  const service = { name: "ns1/svc1:http", endpoints: ["10.180.0.1:80", "10.180.0.2:80"], affinitySeconds: 125 };
  const sticky: Decision = { ...DNAT, service: { ...service, scheduler: "Maglev" } };
  const clause = (affinity: Decision["affinity"]) =>
    composeAnswer(QUESTION, OUTSIDE, { ...sticky, affinity }).reason.split("; ")[2];
  expect(clause("kept")).toBe("of 2 endpoints the one this client has by session affinity, traffic policy Cluster");
  expect(clause("begun")).toBe(
    "chosen from 2 endpoints by Maglev, to be kept by session affinity for 125 s, traffic policy Cluster",
  );
});

test("an address of no Service passes", () => {
  expect(composeAnswer(QUESTION, OUTSIDE, PASS)).toEqual({
    verdict: "pass",
    endpoints: [],
    chosen: null,
    masquerade: false,
    service: null,
    reason: "a client from outside, by eth0; 172.30.0.41:80/TCP is no Service's address: left to the kernel",
  });
});

test("an unused port of a ClusterIP is no Service's, and says why it is refused", () => {
  const unused: Decision = { ...PASS, verdict: "reject", dropReason: "unused_port" };
  expect(composeAnswer(QUESTION, POD, unused)).toEqual({
    verdict: "reject",
    endpoints: [],
    chosen: null,
    masquerade: false,
    service: null,
    reason:
      "connect() of a pod of this node; 172.30.0.41:80/TCP: the ClusterIP is served, but not this port or protocol: " +
      "refused (REJECT)",
  });
});

test("a Service without endpoints says so", () => {
  expect(composeAnswer(QUESTION, POD, REJECT)).toEqual({
    verdict: "reject",
    endpoints: [],
    chosen: null,
    masquerade: false,
    service: "ns1/svc1:http",
    reason:
      "connect() of a pod of this node; 172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http; " +
      "the Service has no usable endpoint on any node: refused (REJECT)",
  });
});

test.each<[string, Entry, Decision, string]>([
  [
    "a client in no source range",
    OUTSIDE,
    { ...REJECT, verdict: "drop", dropReason: "source_range", sourceRange: { range: "none", admit: false } },
    "a client from outside, by eth0; 172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http; no source range holds the " +
      "client; the client's address is in none of the Service's source ranges, or in a denied one: dropped silently",
  ],
  [
    "a source range that decides",
    { ...POD, onWire: "which leaves source ranges to its packets" },
    { ...DNAT, sourceRange: { range: "10.0.0.0/8", admit: true } },
    "connect() of a pod of this node, which leaves source ranges to its packets; 172.30.0.41:80/TCP is a ClusterIP of " +
      "ns1/svc1:http; source range 10.0.0.0/8 admits the client; chosen from 2 endpoints by Maglev, traffic policy " +
      "Cluster; masqueraded: the backend sees a node address",
  ],
  [
    "a ClusterIP that a socket of the node has",
    { ...POD, onWire: "which leaves this to its packets" },
    { ...DNAT, verdict: "pass" },
    "connect() of a pod of this node, which leaves this to its packets; 172.30.0.41:80/TCP is ns1/svc1:http, but an " +
      "address of this node too: left to the socket that listens there",
  ],
  [
    "the node itself",
    HOST,
    DNAT,
    "the source is this node: its packets pass no tc ingress, so its sockets' path answers; " +
      "172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http; chosen from 2 endpoints by Maglev, traffic policy Cluster; " +
      "the backend sees this node's address anyway",
  ],
  [
    "a pod by its address",
    OUTSIDE,
    { ...DNAT, client: "pod", detectLocalMode: "ClusterCIDR", masquerade: false },
    "a local pod to detectLocalMode ClusterCIDR, by eth0; 172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http; " +
      "chosen from 2 endpoints by Maglev, traffic policy Cluster; the backend sees the client's address",
  ],
  [
    "a pod whose interface has another name",
    { client: "pod", device: "cali1", socket: false },
    { ...DNAT, detectLocalMode: "InterfaceNamePrefix" },
    "no local pod to detectLocalMode InterfaceNamePrefix, by cali1; 172.30.0.41:80/TCP is a ClusterIP of " +
      "ns1/svc1:http; chosen from 2 endpoints by Maglev, traffic policy Cluster; masqueraded: the backend sees a node " +
      "address",
  ],
  [
    "a client of a family without a range",
    OUTSIDE,
    { ...DNAT, client: "untold", detectLocalMode: "NodeCIDR", masquerade: false },
    "detectLocalMode NodeCIDR knows no range of IPv4 pods, so this may be one or not, by eth0; 172.30.0.41:80/TCP is a " +
      "ClusterIP of ns1/svc1:http; chosen from 2 endpoints by Maglev, traffic policy Cluster; the backend sees the " +
      "client's address",
  ],
  [
    "an existing connection",
    OUTSIDE,
    { ...DNAT, existing: true, masquerade: false },
    "a client from outside, by eth0; 172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http; " +
      "the connection exists already and keeps its endpoint; the backend sees the client's address",
  ],
])("the reason for %s reads as a sentence", (_, entry, decision, reason) => {
  expect(composeAnswer(QUESTION, entry, decision).reason).toBe(reason);
});
