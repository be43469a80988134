// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type ClientKind, clientKind, type NodeFacts } from "../../../src/inspect/entry.ts";
import { type Cidr, type Ip, parseCidr } from "../../../src/model/ip.ts";

const FACTS: NodeFacts = {
  nodeAddresses: new Set(["192.0.2.11", "127.0.0.1", "10.244.1.1"] as Ip[]),
  podRanges: [cidr("10.244.1.0/25"), cidr("fd00:10:244:1::/64")],
  localEndpoints: new Set(["10.99.0.7"] as Ip[]),
  routes: [
    { destination: cidr("0.0.0.0/0"), podDevice: undefined },
    { destination: cidr("10.88.0.0/16"), podDevice: 7 },
    { destination: cidr("10.88.5.0/24"), podDevice: undefined },
  ],
};

test.each<[string, ClientKind, string]>([
  ["192.0.2.11", "host", "an address of the node"],
  ["127.0.0.1", "host", "loopback"],
  ["10.244.1.1", "host", "the node's own address inside its pod range"],
  ["10.244.1.127", "pod", "the last address of the pod range"],
  ["10.244.1.128", "outside", "one beyond the pod range"],
  ["fd00:10:244:1::5", "pod", "an IPv6 pod"],
  ["fd00:10:244:2::5", "outside", "another node's IPv6 pod"],
  ["10.99.0.7", "pod", "a local endpoint outside every range"],
  ["10.88.1.1", "pod", "routed to a pod device"],
  ["10.88.5.1", "outside", "under a longer route that leads elsewhere"],
  ["203.0.113.2", "outside", "behind the default route"],
])("%s is %s: %s", (source, expected) => {
  expect(clientKind(source as Ip, FACTS)).toBe(expected);
});

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(`${text} is no CIDR`);
  return parsed;
}
