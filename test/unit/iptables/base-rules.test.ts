// SPDX-License-Identifier: Apache-2.0
// The rules of iptables mode that are there without any Service.
import { describe, expect, test } from "vitest";
import { type BaseOptions, baseRules } from "../../../src/datapath/iptables/base-rules.ts";
import type { LocalClients, Surroundings } from "../../../src/datapath/rules/writer.ts";
import { cidr, ip } from "../../support/compiled.ts";

const NODE = { address: ip("192.168.50.1"), loopback: false, nodePort: true };
const BRIDGE = { address: ip("10.9.1.129"), loopback: false, nodePort: true };
const LOOPBACK = { address: ip("127.0.0.1"), loopback: true, nodePort: true };
const SIX = { address: ip("fd00:50::1"), loopback: false, nodePort: true };
const SIX_LOOPBACK = { address: ip("::1"), loopback: true, nodePort: true };
const OPTIONS: BaseOptions = {
  masqueradeAll: false,
  masqueradeMark: 2 ** 14,
  localhostNodePorts: true,
  liberal: false,
};

function around(more: Partial<Surroundings> = {}): Surroundings {
  return {
    nodeAddresses: [NODE, BRIDGE, LOOPBACK, SIX, SIX_LOOPBACK],
    serviceRanges: [],
    localClients: { by: "source", ranges: [cidr("10.9.0.0/16")] },
    foreign: new Set(),
    partial: false,
    ...more,
  };
}

const LAST =
  '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS';

test("rows 40 and 41: what has the mark is masqueraded by any port, and loses the mark; any bit will do", () => {
  const { nat } = baseRules(4, around(), { ...OPTIONS, masqueradeMark: 2 ** 31 }).chains;
  expect(nat.get("KUBE-MARK-MASQ")).toEqual(["-j MARK --set-xmark 0x80000000/0x80000000"]);
  expect(nat.get("KUBE-POSTROUTING")).toEqual([
    "-m mark ! --mark 0x80000000/0x80000000 -j RETURN",
    "-j MARK --set-xmark 0x80000000/0x0",
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  ]);
});

test("rows 42 and 43: forwards what is masqueraded and what goes on, drops what is invalid unless tracking is liberal", () => {
  const accepts = [
    '-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
    '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ];
  const drop = "-m conntrack --ctstate INVALID -j DROP";
  expect(baseRules(4, around(), OPTIONS).chains.filter.get("KUBE-FORWARD")).toEqual([drop, ...accepts]);
  const liberal = { ...OPTIONS, liberal: true };
  expect(baseRules(6, around(), liberal).chains.filter.get("KUBE-FORWARD")).toEqual(accepts);
});

describe("NodePorts", () => {
  test("rows 27 and 29: are served on every local address; on those of loopback for IPv4 alone", () => {
    expect(baseRules(4, around(), OPTIONS).nodePorts).toEqual([LAST]);
    const outside = { address: ip("198.51.100.1"), loopback: false, nodePort: false, elsewhere: true } as const;
    const translated = around({ nodeAddresses: [NODE, outside, LOOPBACK] });
    expect(baseRules(4, translated, OPTIONS).nodePorts).toEqual([LAST]);
    expect(baseRules(6, around(), OPTIONS).nodePorts).toEqual([`! -d ::1/128 ${LAST}`]);
    const none = { ...OPTIONS, localhostNodePorts: false };
    expect(baseRules(4, around(), none).nodePorts).toEqual([`! -d 127.0.0.0/8 ${LAST}`]);
  });

  test("row 28: or on those that are named, of a family of which some are not", () => {
    const nodeAddresses = [NODE, { ...BRIDGE, nodePort: false }, { ...LOOPBACK, nodePort: false }, SIX, SIX_LOOPBACK];
    const named = around({ nodeAddresses });
    const rule = LAST.replace("-m addrtype --dst-type LOCAL ", "");
    expect(baseRules(4, named, OPTIONS).nodePorts).toEqual([`-d 192.168.50.1/32 ${rule}`]);
    expect(baseRules(6, named, OPTIONS).nodePorts).toEqual([`! -d ::1/128 ${LAST}`]);
    expect(baseRules(4, around({ nodeAddresses: [SIX] }), OPTIONS).nodePorts).toEqual([]);
  });

  test("row 29: where loopback addresses lead out of the node, neighbours are kept from them", () => {
    expect(baseRules(4, around(), OPTIONS).martians).toEqual({
      table: "filter",
      chain: "KUBE-FIREWALL",
      rule: '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    });
    expect(baseRules(6, around(), OPTIONS).martians).toBeUndefined();
    const elsewhere = around({ nodeAddresses: [NODE, { ...LOOPBACK, nodePort: false }] });
    expect(baseRules(4, elsewhere, OPTIONS).martians).toBeUndefined();
  });
});

test.each<[string, LocalClients, readonly string[] | undefined]>([
  ["one range", { by: "source", ranges: [cidr("10.9.0.0/16")] }, undefined],
  ["one device", { by: "device", names: ["cni0"] }, undefined],
  [
    "devices",
    { by: "device", names: ["cni0", "cali*"] },
    ["-i cni0 -j RETURN", "-i cali+ -j RETURN", "-j KUBE-MARK-MASQ"],
  ],
  [
    "the devices that are not theirs",
    { by: "otherDevice", names: ["eth0"] },
    ["-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ", "-i eth0 -j KUBE-MARK-MASQ"],
  ],
  ["a range of everything", { by: "source", ranges: [cidr("0.0.0.0/0")] }, ["-j RETURN", "-j KUBE-MARK-MASQ"]],
])("row 38: pods told by %s: a chain of ours marks the others where one rule cannot", (_, localClients, expected) => {
  const { nat } = baseRules(4, around({ localClients }), OPTIONS).chains;
  expect(nat.get("PORTOLAN-MARK-OTHERS")).toEqual(expected);
});

test("packets come to the chains from where kube-proxy's do, and the node's own to refusals of addresses elsewhere", () => {
  const { jumps, chains } = baseRules(4, around(), OPTIONS);
  const leads = jumps.map(({ table, chain, rule }) => `${table} ${chain} ${rule.replace(/-m comment .*" /, "")}`);
  expect(leads.sort()).toEqual([
    "filter FORWARD -j KUBE-FORWARD",
    "filter FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES",
    "filter FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL",
    "filter FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES",
    "filter INPUT -j KUBE-NODEPORTS",
    "filter INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES",
    "filter INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL",
    "filter OUTPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL",
    "filter OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES",
    "filter OUTPUT -m conntrack --ctstate NEW -m addrtype ! --dst-type LOCAL -j KUBE-EXTERNAL-SERVICES",
    "nat OUTPUT -j KUBE-SERVICES",
    "nat POSTROUTING -j KUBE-POSTROUTING",
    "nat PREROUTING -j KUBE-SERVICES",
  ]);
  expect(Object.values(chains).map((table) => table.has("PORTOLAN-CANARY"))).toEqual([true, true, true]);
});
