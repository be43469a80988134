// SPDX-License-Identifier: Apache-2.0
// What of iptables is kube-proxy's goes, in one transaction; nothing else does.
import { expect, test } from "vitest";
import { keptChains, removal } from "../../../src/datapath/netfilter/kube-proxy-chains.ts";

const SERVICES = '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
const OUTPUT = '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
const POSTROUTING = '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING';
const NAT = [
  "-P PREROUTING ACCEPT",
  "-N CNI-HOSTPORT-DNAT",
  "-N KUBE-KUBELET-CANARY",
  "-N KUBE-MARK-MASQ",
  "-N KUBE-NODEPORTS",
  "-N KUBE-POSTROUTING",
  "-N KUBE-PROXY-CANARY",
  "-N KUBE-SEP-WEB",
  "-N KUBE-SERVICES",
  "-N KUBE-SVC-WEB",
  '-A PREROUTING -m comment --comment "say \\"-j KUBE-SERVICES\\"" -j CNI-HOSTPORT-DNAT',
  SERVICES,
  OUTPUT,
  POSTROUTING,
  "-A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE",
  "-A CNI-HOSTPORT-DNAT -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.9.1.10:8080",
  "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
  "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
  '-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "test/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-WEB',
  "-A KUBE-SVC-WEB ! -s 10.9.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ",
  "-A KUBE-SVC-WEB -j KUBE-SEP-WEB",
  "-A KUBE-SEP-WEB -s 10.9.1.11/32 -j KUBE-MARK-MASQ",
  "-A KUBE-SEP-WEB -p tcp -m tcp -j DNAT --to-destination 10.9.1.11:8080",
];
const THEIRS = NAT.flatMap((rule) => /^-N (KUBE-\S+)$/.exec(rule)?.[1] ?? []).filter(
  (name) => !name.includes("KUBELET"),
);
const deleted = (rule: string) => rule.replace("-A", "-D");

test("nat: its jumps and chains go, flushed before anything is deleted; the kubelet's and others' stay", () => {
  expect(removal("nat", NAT)).toEqual({
    lines: [
      ...THEIRS.map((chain) => `:${chain} - [0:0]`),
      ...[SERVICES, OUTPUT, POSTROUTING].map(deleted),
      ...THEIRS.map((chain) => `-X ${chain}`),
    ],
    removed: THEIRS.length,
  });
  expect(keptChains("nat", NAT)).toEqual([]);
});

test("a chain that one of others leads to stays whole, and so does what the mark for masquerade needs", () => {
  const shared = [...NAT, "-A CNI-HOSTPORT-DNAT -s 10.9.0.0/16 -j KUBE-MARK-MASQ"];
  expect(keptChains("nat", shared)).toEqual(["KUBE-MARK-MASQ", "KUBE-POSTROUTING"]);
  const { lines, removed } = removal("nat", shared);
  expect(removed).toBe(THEIRS.length - 2);
  expect(lines.filter((line) => /MARK-MASQ|POSTROUTING/.test(line))).toEqual([]);
  expect(lines).toContain("-X KUBE-SVC-WEB");
});

test("filter: KUBE-FIREWALL is the kubelet's, though kube-proxy makes it too", () => {
  const forward = '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD';
  const rules = ["-N KUBE-FIREWALL", "-N KUBE-FORWARD", "-A INPUT -j KUBE-FIREWALL", forward];
  expect(removal("filter", rules).lines).toEqual([":KUBE-FORWARD - [0:0]", deleted(forward), "-X KUBE-FORWARD"]);
});

test("a name that is a Service's in nat is nobody's elsewhere, and where nothing is kube-proxy's nothing is done", () => {
  expect(removal("filter", ["-N KUBE-SVC-WEB", "-N KUBE-ROUTER-FORWARD"])).toEqual({ lines: [], removed: 0 });
  expect(removal("mangle", ["-N KUBE-PROXY-CANARY", "-N KUBE-KUBELET-CANARY"]).lines).toEqual([
    ":KUBE-PROXY-CANARY - [0:0]",
    "-X KUBE-PROXY-CANARY",
  ]);
});

test("chains of IPVS mode, which has the jumps of the others and some in INPUT and OUTPUT", () => {
  const names = [
    "KUBE-FORWARD",
    "KUBE-NODE-PORT",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
  ];
  const jumps = [
    '-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER',
    '-A INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT',
    '-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER',
  ];
  expect(removal("filter", [...names.map((name) => `-N ${name}`), "-A INPUT -j ACCEPT", ...jumps]).lines).toEqual([
    ...names.map((name) => `:${name} - [0:0]`),
    ...jumps.map(deleted),
    ...names.map((name) => `-X ${name}`),
  ]);
  expect(removal("nat", ["-N KUBE-NODE-PORT", "-N KUBE-LOAD-BALANCER"]).removed).toBe(2);
});
