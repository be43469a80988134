// SPDX-License-Identifier: Apache-2.0
// What the node itself has in our table of nftables: who is masqueraded, what is refused.
import { expect, test } from "vitest";
import { nodePart } from "../../../src/datapath/nftables/node-part.ts";
import type { RuleSettings, Surroundings } from "../../../src/datapath/rules/writer.ts";
import { cidr, ip, RULE_SETTINGS } from "../../support/compiled.ts";

const NODE: Surroundings = {
  nodeAddresses: [],
  serviceRanges: [],
  localClients: { by: "source", ranges: [cidr("10.9.0.0/16")] },
  foreign: new Set(),
  partial: false,
};

function rulesOf(
  chain: string,
  more: Partial<Surroundings> = {},
  settings: Partial<RuleSettings> = {},
): readonly unknown[] {
  const { chains } = nodePart({ ...NODE, ...more }, { ...RULE_SETTINGS, ...settings });
  return chains.find(({ name }) => name === chain)?.rules ?? ["no such chain"];
}

test("row 27: addresses of Services come before NodePorts", () => {
  expect(rulesOf("services")).toEqual([
    "ip daddr . meta l4proto . th dport vmap @frontends4",
    "ip6 daddr . meta l4proto . th dport vmap @frontends6",
    "ip daddr @nodeport-ips4 meta l4proto . th dport vmap @nodeports4",
    "ip6 daddr @nodeport-ips6 meta l4proto . th dport vmap @nodeports6",
  ]);
});

test("whoever listens at a ClusterIP that the node has comes first, but to the node's own processes", () => {
  expect(rulesOf("prerouting")).toEqual([
    "ip daddr . meta l4proto . th dport @on-node4 socket wildcard 0 accept",
    "ip6 daddr . meta l4proto . th dport @on-node6 socket wildcard 0 accept",
    "jump services",
  ]);
  expect(rulesOf("output")).toEqual(["jump services"]);
});

test("a node of one family has rules of that family only", () => {
  expect(rulesOf("services", {}, { families: [6] })).toEqual([
    "ip6 daddr . meta l4proto . th dport vmap @frontends6",
    "ip6 daddr @nodeport-ips6 meta l4proto . th dport vmap @nodeports6",
  ]);
});

test("row 28: NodePorts are served where they are to be, never at loopback", () => {
  const nodeAddresses = [
    { address: ip("192.0.2.1"), loopback: false, nodePort: true },
    { address: ip("192.0.2.2"), loopback: false, nodePort: false },
    { address: ip("127.0.0.1"), loopback: true, nodePort: true },
    { address: ip("2001:db8::1"), loopback: false, nodePort: true },
  ];
  expect(nodePart({ ...NODE, nodeAddresses }, RULE_SETTINGS).elements).toEqual([
    { of: "nodeport-ips4", key: "192.0.2.1", value: "" },
    { of: "nodeport-ips6", key: "2001:db8::1", value: "" },
  ]);
});

test.each([
  [
    "by range; row 35: a family without one masquerades no ClusterIP",
    { by: "source", ranges: [cidr("10.9.0.0/16")] },
    ["ip saddr 10.9.0.0/16 return"],
    ["meta nfproto ipv6 return", "goto mark-unless-pod"],
  ],
  [
    "by device",
    { by: "device", names: ["cni0", "veth*"] },
    ['iifname "cni0" return', 'iifname "veth*" return'],
    ["goto mark-unless-pod"],
  ],
  [
    "by any other device, which the node's own packets have none of",
    { by: "otherDevice", names: ["eth0", "tun*"] },
    ['iif != 0 iifname != "eth0" iifname != "tun*" return'],
    ["goto mark-unless-pod"],
  ],
] as const)("rows 37, 38: pods are known %s", (_how, localClients, pods, internal) => {
  const marks = "meta mark set meta mark or 0x4000";
  expect(rulesOf("mark-unless-pod", { localClients })).toEqual([...pods, marks]);
  expect(rulesOf("masquerade-internal", { localClients })).toEqual(internal);
  expect(rulesOf("masquerade-internal", { localClients }, { masqueradeAll: true })).toEqual([marks]);
});

test("rows 39 to 41: marks end behind the routing, the marked and who asks itself are masqueraded at random ports", () => {
  expect(rulesOf("postrouting")).toEqual([
    "meta mark and 0x8000 == 0x8000 meta mark set meta mark xor 0x8000",
    "meta mark and 0x4000 == 0x4000 meta mark set meta mark xor 0x4000 masquerade fully-random",
    "ct status dnat ip saddr . ip daddr @hairpins4 masquerade fully-random",
    "ct status dnat ip6 saddr . ip6 daddr @hairpins6 masquerade fully-random",
  ]);
});

test("row 31: what begins and is not translated meets refusals where it is delivered, forwarded and sent", () => {
  const begins = "ct state new ct status and dnat == 0";
  expect(rulesOf("input")).toEqual([
    `${begins} jump refusals`,
    `${begins} ip daddr @nodeport-ips4 meta l4proto . th dport vmap @refused-nodeports4`,
    `${begins} ip6 daddr @nodeport-ips6 meta l4proto . th dport vmap @refused-nodeports6`,
  ]);
  for (const chain of ["forward", "translated-output"]) {
    expect(rulesOf(chain)).toEqual([`${begins} jump refusals`, `${begins} jump unserved`]);
  }
  expect(rulesOf("refuse")).toEqual(["reject with icmpx port-unreachable"]);
});

test("row 46: refused at served ClusterIPs, silent in the ranges, but not where others serve", () => {
  const serviceRanges = [cidr("10.96.0.0/16"), cidr("fd00:10:96::/112")];
  const foreign = new Set([ip("10.96.0.9"), ip("fd00:10:96::9")]);
  expect(rulesOf("unserved", { serviceRanges })).toEqual([
    "ip daddr @cluster-ips4 goto refuse",
    "ip daddr @left-alone4 return",
    "ip daddr 10.96.0.0/16 drop",
    "ip6 daddr @cluster-ips6 goto refuse",
    "ip6 daddr @left-alone6 return",
    "ip6 daddr fd00:10:96::/112 drop",
  ]);
  expect(nodePart({ ...NODE, foreign }, RULE_SETTINGS).elements).toEqual([
    { of: "left-alone4", key: "10.96.0.9", value: "" },
    { of: "left-alone6", key: "fd00:10:96::9", value: "" },
  ]);
});

test("row 46: nothing is refused for want of a Service while not all is known", () => {
  expect(rulesOf("unserved", { serviceRanges: [cidr("10.96.0.0/16")], partial: true })).toEqual([]);
});
