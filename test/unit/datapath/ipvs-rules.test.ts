// SPDX-License-Identifier: Apache-2.0
// The rules around IPVS, written out; how they come into a table, are missed, and go.
import { describe, expect, test } from "vitest";
import { type TableRules, tableRules } from "../../../src/datapath/ipvs/rules.ts";
import { creation } from "../../../src/datapath/ipvs/sets.ts";
import { holds, removing, writing } from "../../../src/datapath/ipvs/tables.ts";
import type { LocalClients, RuleSettings, Surroundings } from "../../../src/datapath/rules/writer.ts";
import { cidr, RULE_SETTINGS } from "../../support/compiled.ts";

const PODS: LocalClients = { by: "source", ranges: [cidr("10.9.0.0/16")] };
const around = (localClients: LocalClients, partial = false): Surroundings => ({
  nodeAddresses: [],
  serviceRanges: [],
  localClients,
  foreign: new Set(),
  partial,
});
/** Rules of one chain. */
const rulesOf = (chain: string, localClients: LocalClients, more: Partial<RuleSettings> = {}, family: 4 | 6 = 4) =>
  tableRules(family, around(localClients), { ...RULE_SETTINGS, ...more }).flatMap(({ chains }) => chains[chain] ?? []);
const tableOf = (name: string): TableRules => {
  const found = tableRules(4, around(PODS), RULE_SETTINGS).find(({ table }) => table === name);
  if (!found) throw new Error(name);
  return found;
};

test("rows 36 to 42: what nat has, in whole", () => {
  const { chains, jumps } = tableOf("nat");
  expect(jumps).toEqual([
    "OUTPUT -j PORTOLAN-IPVS",
    "PREROUTING -j PORTOLAN-IPVS",
    "POSTROUTING -j PORTOLAN-IPVS-POST",
  ]);
  const set = (name: string, what = "dst,dst") => `-m set --match-set ${name} ${what}`;
  const fromNode = "-m addrtype --src-type LOCAL -j PORTOLAN-IPVS-MASQ";
  expect(chains).toEqual({
    "PORTOLAN-IPVS-MASQ": ["-j MARK --or-mark 0x4000"],
    "PORTOLAN-IPVS-OTHERS": ["-s 10.9.0.0/16 -j RETURN", "-j PORTOLAN-IPVS-MASQ"],
    "PORTOLAN-IPVS": [
      "-s 127.0.0.0/8 -j RETURN",
      `${set("KUBE-LOAD-BALANCER")} -j PORTOLAN-IPVS-LB`,
      `${set("KUBE-CLUSTER-IP")} -j PORTOLAN-IPVS-OTHERS`,
      `${set("KUBE-EXTERNAL-IP")} -j PORTOLAN-IPVS-MASQ`,
      `${set("KUBE-EXTERNAL-IP-LOCAL")} ${fromNode}`,
      "-m addrtype --dst-type LOCAL -j PORTOLAN-IPVS-NODEPORT",
      `${set("KUBE-CLUSTER-IP")} -j ACCEPT`,
      `${set("KUBE-LOAD-BALANCER")} -j ACCEPT`,
      `${set("KUBE-EXTERNAL-IP")} -j ACCEPT`,
      `${set("KUBE-EXTERNAL-IP-LOCAL")} -j ACCEPT`,
    ],
    "PORTOLAN-IPVS-LB": [fromNode, `${set("KUBE-LOAD-BALANCER-LOCAL")} -j RETURN`, "-j PORTOLAN-IPVS-MASQ"],
    "PORTOLAN-IPVS-NODEPORT": ["tcp", "udp", "sctp"].flatMap((protocol) => {
      const [end, what] = protocol === "sctp" ? ["SCTP-HASH", "dst,dst"] : [protocol.toUpperCase(), "dst"];
      const local = `-p ${protocol} ${set(`KUBE-NODE-PORT-LOCAL-${end}`, what)}`;
      const all = `-p ${protocol} ${set(`KUBE-NODE-PORT-${end}`, what)} -j PORTOLAN-IPVS-MASQ`;
      return [`${local} ${fromNode}`, `${local} -j RETURN`, all];
    }),
    "PORTOLAN-IPVS-POST": [
      `${set("KUBE-LOOP-BACK", "dst,dst,src")} -j MASQUERADE`,
      "-m mark ! --mark 0x4000/0x4000 -j RETURN",
      "-j MARK --xor-mark 0x4000",
      "-j MASQUERADE --random-fully",
    ],
  });
});

test("rows 33, 44, 46 and 47: what is refused before IPVS, in whole; nothing for want of a Service while some are unread", () => {
  const set = (name: string, what = "dst,dst") => `-m set --match-set ${name} ${what}`;
  const { chains, jumps } = tableOf("filter");
  expect(jumps).toEqual([
    "FORWARD -j PORTOLAN-IPVS-FORWARD",
    "INPUT -m conntrack --ctstate NEW -j PORTOLAN-IPVS-FILTER",
    "INPUT -j PORTOLAN-IPVS-HEALTH",
    "INPUT -m conntrack --ctstate NEW -j PORTOLAN-IPVS-FIREWALL",
  ]);
  const served = ["LOAD-BALANCER", "CLUSTER-IP", "EXTERNAL-IP", "EXTERNAL-IP-LOCAL"];
  expect(chains).toEqual({
    "PORTOLAN-IPVS-FORWARD": [
      "-m mark --mark 0x4000/0x4000 -j ACCEPT",
      "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ],
    "PORTOLAN-IPVS-HEALTH": [`${set("KUBE-HEALTH-CHECK-NODE-PORT", "dst")} -p tcp -j ACCEPT`],
    "PORTOLAN-IPVS-FIREWALL": [
      `${set("PORTOLAN-DROP")} -j DROP`,
      `${set("PORTOLAN-DROP-OUTSIDE")} -j PORTOLAN-IPVS-OUTSIDE`,
      `${set("KUBE-LOAD-BALANCER-FW")} -j PORTOLAN-IPVS-RANGES`,
    ],
    "PORTOLAN-IPVS-RANGES": [
      `${set("KUBE-LOAD-BALANCER-SOURCE-CIDR", "dst,dst,src")} -j RETURN`,
      `${set("KUBE-LOAD-BALANCER-SOURCE-IP", "dst,dst,src")} -j RETURN`,
      "-j DROP",
    ],
    "PORTOLAN-IPVS-OUTSIDE": ["-m addrtype --src-type LOCAL -j RETURN", "-s 10.9.0.0/16 -j RETURN", "-j DROP"],
    "PORTOLAN-IPVS-FILTER": [
      ...served.map((name) => `${set(`KUBE-${name}`)} -j RETURN`),
      `${set("KUBE-IPVS-IPS", "dst")} -j REJECT`,
    ],
  });
  const unread = tableRules(4, around(PODS, true), RULE_SETTINGS).map(({ chains }) => chains);
  expect(JSON.stringify(unread)).not.toContain("REJECT");
});

test("rows 33 and 44: the node's own packets are asked where they leave, for IPVS meets them before table filter", () => {
  expect(tableOf("mangle")).toEqual({
    table: "mangle",
    chains: {
      "PORTOLAN-IPVS-OUT": [
        "-m set --match-set PORTOLAN-DROP dst,dst -j DROP",
        "-m set --match-set PORTOLAN-DROP-NODE dst,dst -j DROP",
      ],
    },
    jumps: ["OUTPUT -m conntrack --ctstate NEW -j PORTOLAN-IPVS-OUT"],
  });
});

describe("who is no local pod", () => {
  const others = (clients: LocalClients) => rulesOf("PORTOLAN-IPVS-OTHERS", clients);

  test("row 38: by the device that a packet came in by", () => {
    expect(others({ by: "device", names: ["cali*", "cni0"] })).toEqual([
      "-i cali+ -j RETURN",
      "-i cni0 -j RETURN",
      "-j PORTOLAN-IPVS-MASQ",
    ]);
    expect(others({ by: "otherDevice", names: ["eth0"] })).toEqual([
      "-i eth0 -j PORTOLAN-IPVS-MASQ",
      "-m addrtype --src-type LOCAL -j PORTOLAN-IPVS-MASQ",
    ]);
  });

  test("row 35: without a way to tell only what the node sends from a VIP is masqueraded", () => {
    expect(rulesOf("PORTOLAN-IPVS", PODS, {}, 6)[2]).toBe(
      "-m set --match-set KUBE-6-CLUSTER-IP src,dst -j PORTOLAN-IPVS-MASQ",
    );
  });

  test("row 37: or everything is", () => {
    expect(rulesOf("PORTOLAN-IPVS", PODS, { masqueradeAll: true })[2]).toBe(
      "-m set --match-set KUBE-CLUSTER-IP dst,dst -j PORTOLAN-IPVS-MASQ",
    );
  });
});

describe("a table", () => {
  const MANGLE = tableOf("mangle");
  const JUMP = "-A OUTPUT -m conntrack --ctstate NEW -j PORTOLAN-IPVS-OUT";
  const RULES = Object.values(MANGLE.chains).flatMap((rules) => rules.map((rule) => `-A PORTOLAN-IPVS-OUT ${rule}`));
  const OTHERS = ["-P OUTPUT ACCEPT", "-N KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES"];

  test("gets chains whole, and jumps that it has not got", () => {
    expect(writing(MANGLE, OTHERS)).toEqual([
      ":PORTOLAN-IPVS-OUT - [0:0]",
      ...RULES,
      JUMP.replace("-A OUTPUT", "-I OUTPUT"),
    ]);
    expect(writing(MANGLE, [...OTHERS, JUMP])).toEqual([":PORTOLAN-IPVS-OUT - [0:0]", ...RULES]);
  });

  test("row 77: holds ours while jump, chain and rules are there", () => {
    const whole = [...OTHERS, "-N PORTOLAN-IPVS-OUT", JUMP, ...RULES];
    expect(holds(MANGLE, whole)).toBe(true);
    for (const gone of [JUMP, "-N PORTOLAN-IPVS-OUT", RULES[1]]) {
      expect(
        holds(
          MANGLE,
          whole.filter((rule) => rule !== gone),
        ),
      ).toBe(false);
    }
  });

  test("loses ours, and nothing else", () => {
    const rules = [...OTHERS, "-N PORTOLAN-IPVS-OUT", JUMP, ...RULES];
    expect(removing(["PORTOLAN-IPVS-OUT"], rules)).toEqual([
      ":PORTOLAN-IPVS-OUT - [0:0]",
      JUMP.replace("-A", "-D"),
      "-X PORTOLAN-IPVS-OUT",
    ]);
    expect(removing(["PORTOLAN-IPVS-OUT"], OTHERS)).toEqual([]);
  });
});

test("sets that are not there are made, of the family's kind, with room for more than the kernel's 65536", () => {
  const made = creation(6, new Set(["KUBE-6-LOOP-BACK"]));
  expect(made).toHaveLength(19);
  expect(made).toContain("create KUBE-6-CLUSTER-IP hash:ip,port family inet6 maxelem 1048576");
  expect(made).toContain("create KUBE-6-NODE-PORT-TCP bitmap:port range 0-65535");
  expect(made).toContain("create PORTOLAN-6-DROP hash:ip,port family inet6 maxelem 1048576");
});
