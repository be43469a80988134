// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { ServiceKey } from "../../../src/compile/state.ts";
import type { FrontendState, ServiceState } from "../../../src/datapath/ebpf/state-types.ts";
import type { Decision } from "../../../src/inspect/answer.ts";
import { usedEntries } from "../../../src/inspect/entries.ts";
import { parseQuestion } from "../../../src/inspect/question.ts";
import { type Ip, ipToBytes } from "../../../src/model/ip.ts";

const KEY = "default/web:http/TCP/IPv4" as ServiceKey;
const SERVICE: ServiceState = {
  id: 7,
  key: KEY,
  namespace: "default",
  name: "web",
  portName: "http",
  protocol: "TCP",
  family: 4,
  type: "NodePort",
  scheduler: "default",
  affinitySeconds: 0,
  affinityEpoch: 0,
  internalLocal: false,
  externalLocal: false,
  hasAnyEndpoints: true,
  endsConnections: false,
  cluster: [],
  local: [],
  serving: [],
  tableSize: 251,
  frontends: [frontend("ClusterIP", "10.96.0.1", 80), frontend("NodePort", "0.0.0.0", 30080)],
  sources: undefined,
  stats: { connections: 0n, packets: 0n, bytes: 0n, rejects: 0n },
};
const DECISION: Decision = {
  verdict: "dnat",
  client: "outside",
  detectLocalMode: "Device",
  dropReason: "none",
  service: { name: "default/web:http", endpoints: [], scheduler: "Maglev", affinitySeconds: 0 },
  kind: "a ClusterIP",
  chosen: "10.244.1.5:8080",
  masquerade: false,
  existing: false,
  policy: "Cluster",
  affinity: "none",
  sourceRange: undefined,
};
const SAID = { backend: 5, backendAddr: ipToBytes("10.244.1.5" as Ip), backendPort: 8080 };
const CLUSTER_IP = parseQuestion("203.0.113.2", "10.96.0.1:80");

test("a ClusterIP is met by its frontend, service, table and backend", () => {
  expect(usedEntries(CLUSTER_IP, SAID, DECISION, SERVICE)).toEqual([
    "frontends 10.96.0.1:80/TCP -> service 7",
    "services 7 -> default/web:http",
    "tables -> 251 slots",
    "backends 5 -> 10.244.1.5:8080",
  ]);
});

test("a client that keeps its endpoint is met by its affinity, not by the table", () => {
  expect(usedEntries(CLUSTER_IP, SAID, { ...DECISION, affinity: "kept" }, SERVICE)).toEqual([
    "frontends 10.96.0.1:80/TCP -> service 7",
    "services 7 -> default/web:http",
    "affinity 203.0.113.2 default/web:http -> 10.244.1.5:8080",
    "backends 5 -> 10.244.1.5:8080",
  ]);
});

test("a NodePort is met by way of the node's address", () => {
  const random: Decision = {
    ...DECISION,
    service: { name: "default/web:http", endpoints: [], scheduler: "random choice", affinitySeconds: 0 },
  };
  expect(usedEntries(parseQuestion("10.244.1.9", "192.0.2.11:30080"), SAID, random, SERVICE)).toEqual([
    "addresses 192.0.2.11",
    "frontends 0.0.0.0:30080/TCP -> service 7",
    "services 7 -> default/web:http",
    "backends 5 -> 10.244.1.5:8080",
  ]);
});

test("a refusal ends at the service, an existing connection is its flow, what passes met nothing", () => {
  expect(usedEntries(CLUSTER_IP, SAID, { ...DECISION, verdict: "reject" }, SERVICE)).toEqual([
    "frontends 10.96.0.1:80/TCP -> service 7",
    "services 7 -> default/web:http",
  ]);
  expect(usedEntries(CLUSTER_IP, SAID, { ...DECISION, existing: true }, SERVICE)).toEqual([
    "flows 203.0.113.2:40000 -> 10.96.0.1:80 -> 10.244.1.5:8080",
  ]);
  expect(usedEntries(CLUSTER_IP, SAID, { ...DECISION, verdict: "pass" }, undefined)).toEqual([]);
});

function frontend(kind: FrontendState["kind"], address: string, port: number): FrontendState {
  return { kind, address: address as Ip, port, protocol: "TCP", serviceId: 7, service: KEY };
}
