// SPDX-License-Identifier: Apache-2.0
// What the doctor finds where rules serve; test/netns/faults-rules.test.ts asks a real node.

import { expect, test } from "vitest";
import { examineRules, RULE_CHECKS, type RuleNode } from "../../../src/inspect/doctor-rules.ts";
import { cidr, service } from "../../support/compiled.ts";
import { ruleReport } from "../../support/rule-report.ts";

const LACK = "mode ebpf cannot serve here: this process lacks CAP_BPF: run it as root or grant these capabilities";
const NODE: RuleNode = {
  serving: {
    mode: "nftables",
    reasons: [LACK],
    pid: 4711,
    version: "0.1.0",
    started: "2026-11-22T20:00:00.000Z",
    nodeName: "n1",
  },
  settings: { source: "manifests in /etc/portolan", cgroupRoot: null, lacks: [] },
  report: ruleReport([], { lastSync: "2026-11-22T20:00:01.000Z" }),
  faults: [],
  unseenBridges: [],
  others: { kubeProxy: { rules: [], listening: false, unseen: [] }, programs: [] },
};

/** Beside the mode's. */
const found = (node: Partial<RuleNode>) => examineRules({ ...NODE, ...node }).filter(({ check }) => check !== "mode");

test("a mode that is not ebpf is a warning with its reason, and the checks are named", () => {
  expect(examineRules(NODE)).toEqual([
    {
      check: "mode",
      severity: "warning",
      what: `this node is served in mode nftables, not ebpf: ${LACK}`,
      do: "mend that and send the agent SIGHUP, which makes it ask the node again; or, if that cannot be, nothing",
    },
  ]);
  expect(RULE_CHECKS.map(({ name }) => name).join()).toBe(
    "mode,state,agent,objects,rules,bridges,service-proxies,source-ranges",
  );
});

test.each<[string, Partial<RuleNode>, string, string, RegExp]>([
  ["before the first write", { report: ruleReport([]) }, "state", "error", /^the Services are not yet in the kernel$/],
  ["without an agent", { report: undefined }, "agent", "warning", /^the agent, process 4711 since .*, does not answer/],
  [
    "of objects that cannot be used",
    { report: ruleReport([], { lastSync: "x", problems: 2 }) },
    "objects",
    "warning",
    /^2 objects of manifests in \/etc\/portolan, of which something cannot be used/,
  ],
  [
    "of rules that are not as they were written",
    { faults: ["a", "b", "c", "d", "e", "f", "g"] },
    "rules",
    "error",
    /: a, b, c, d, e, and 2 more$/,
  ],
  [
    "of a kube-proxy beside",
    {
      others: {
        kubeProxy: { rules: [{ mode: "iptables", places: ["/usr/sbin/iptables-nft"] }], listening: true, unseen: [] },
        programs: [],
      },
    },
    "service-proxies",
    "error",
    /^a kube-proxy's rules are at work beside ours \(mode iptables: \/usr\/sbin\/iptables-nft\)/,
  ],
  [
    "of bridges without br_netfilter",
    { unseenBridges: [{ bridge: "cni0", sysctl: "net.bridge.bridge-nf-call-iptables", missing: true }] },
    "bridges",
    "warning",
    /^pods are on bridge cni0 and net\.bridge\.bridge-nf-call-iptables is not there: /,
  ],
])("one finding %s", (_what, node, check, severity, what) => {
  expect(found(node)).toEqual([expect.objectContaining({ check, severity, what: expect.stringMatching(what) })]);
});

test("row 45: ranges that leave a family open are found here too", () => {
  const sources = { kinds: ["LoadBalancer"], rules: [{ range: cidr("192.0.2.0/24"), admit: true }] } as const;
  const at = { name: "lb", kind: "LoadBalancer", port: 80 } as const;
  const both = [service({ ...at, at: "198.51.100.10", sources }), service({ ...at, at: "2001:db8:51::10" })];
  const report = ruleReport(both, { lastSync: "2026-11-22T20:00:01.000Z" });
  expect(found({ report })).toEqual([expect.objectContaining({ check: "source-ranges", severity: "warning" })]);
});
