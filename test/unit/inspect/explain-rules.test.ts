// SPDX-License-Identifier: Apache-2.0
// What `explain` works out for rules where modes and detectors differ; test/netns/explain-rules.test.ts asks real connections.

import { describe, expect, test } from "vitest";
import type { LocalClients } from "../../../src/datapath/rules/writer.ts";
import { RuleExplainer } from "../../../src/inspect/explain-rules.ts";
import { parseQuestion } from "../../../src/inspect/question.ts";
import type { RuleReport } from "../../../src/inspect/rule-report.ts";
import { cidr, member, service } from "../../support/compiled.ts";
import { ruleReport } from "../../support/rule-report.ts";

const HERE = member("10.9.1.10", 8080);
const THERE = member("10.9.2.10", 8080, { local: false, weight: 3 });
const [POD, OUTSIDE, NODE] = ["10.9.1.10", "203.0.113.9", "192.168.50.1"];

const local = (cluster: readonly (typeof HERE)[]) =>
  service({
    name: "lb",
    at: "198.51.100.10",
    port: 80,
    kind: "LoadBalancer",
    externalLocal: true,
    cluster,
    local: cluster.filter(({ local: near }) => near),
  });
const web = service({ name: "web", at: "10.96.0.10", port: 80, cluster: [HERE, THERE] });

/** draw: 0 is the first endpoint. */
function ask(
  mode: "nftables" | "iptables" | "ipvs",
  of: RuleReport,
  source: string,
  to: string,
  draw = 0,
  via?: string,
) {
  const explainer = new RuleExplainer(mode, of, undefined, { via, socket: false }, () => draw);
  return explainer.explain(parseQuestion(source, to)).answer;
}

describe("row 34: policy Local", () => {
  const both = ruleReport([local([HERE, THERE])]);
  const to = "198.51.100.10:80";

  test("pods and the node meet all endpoints, outsiders those here and are not masqueraded", () => {
    expect(ask("nftables", both, OUTSIDE, to)).toMatchObject({ endpoints: ["10.9.1.10:8080"], masquerade: false });
    expect(ask("nftables", both, NODE, to)).toMatchObject({ masquerade: true, endpoints: { length: 2 } });
    expect(ask("nftables", both, POD, to, 0.9)).toMatchObject({ chosen: "10.9.2.10:8080", masquerade: false });
  });

  test("row 33v: IPVS sends everybody to those here; without one outsiders are dropped, and others go elsewhere", () => {
    expect(ask("ipvs", both, NODE, to)).toMatchObject({ endpoints: ["10.9.1.10:8080"] });
    expect(ask("ipvs", ruleReport([local([THERE])]), OUTSIDE, to)).toMatchObject({ verdict: "drop", chosen: null });
    expect(ask("ipvs", ruleReport([local([THERE])]), NODE, to)).toMatchObject({
      verdict: "dnat",
      chosen: "10.9.2.10:8080",
    });
    expect(ask("ipvs", both, NODE, to).reason).toContain("the only endpoint");
  });
});

test("endpoints are drawn by their weights", () => {
  const chosen = [0, 0.24, 0.26, 0.99].map(
    (draw) => ask("iptables", ruleReport([web]), OUTSIDE, "10.96.0.10:80", draw).chosen,
  );
  expect(chosen).toEqual(["10.9.1.10:8080", "10.9.1.10:8080", "10.9.2.10:8080", "10.9.2.10:8080"]);
});

test("row 35: where no pod can be told nobody is masqueraded at a ClusterIP; masqueradeAll masquerades everybody", () => {
  const untold = ruleReport([web], { detectLocalMode: "ClusterCIDR" });
  const blind = { ...untold, around: { ...untold.around, localClients: { by: "source", ranges: [] } as const } };
  const answer = ask("nftables", blind, OUTSIDE, "10.96.0.10:80");
  expect(answer.masquerade).toBe(false);
  expect(answer.reason).toContain("detectLocalMode ClusterCIDR knows no range of IPv4 pods");
  expect(ask("nftables", ruleReport([web], { masqueradeAll: true }), POD, "10.96.0.10:80", 0.9).masquerade).toBe(true);
});

test("row 38: a pod is who comes in by the pods' device, or from their range", () => {
  const by = (localClients: LocalClients) => {
    const of = ruleReport([web], { podDevices: ["cni0"] });
    return { ...of, around: { ...of.around, localClients } };
  };
  const pods: LocalClients = { by: "device", names: ["cni*"] };
  expect(ask("iptables", by(pods), OUTSIDE, "10.96.0.10:80", 0, "cni0").masquerade).toBe(false);
  expect(ask("iptables", by(pods), OUTSIDE, "10.96.0.10:80", 0, "eth0").masquerade).toBe(true);
  const range: LocalClients = { by: "source", ranges: [cidr("203.0.113.0/24")] };
  expect(ask("iptables", by(range), OUTSIDE, "10.96.0.10:80").masquerade).toBe(false);
});

test("row 29: NodePorts at 127.0.0.1 are of iptables' rules alone", () => {
  const nodePort = ruleReport([service({ name: "np", at: undefined, port: 30_080, cluster: [HERE] })]);
  expect(ask("iptables", nodePort, "127.0.0.1", "127.0.0.1:30080").verdict).toBe("dnat");
  expect(ask("nftables", nodePort, "127.0.0.1", "127.0.0.1:30080").verdict).toBe("pass");
  expect(ask("ipvs", nodePort, "127.0.0.1", "127.0.0.1:30080").verdict).toBe("pass");
});

test.each([
  ["nftables", "reject", "drop", "pass"],
  ["ipvs", "reject", "pass", "pass"],
  ["iptables", "pass", "pass", "pass"],
] as const)("row 46: %s: an unused port %s, an address of nobody %s, one of another proxy %s", (mode, ...verdicts) => {
  const asked = ["10.96.0.10:81", "10.96.0.99:80", "10.96.9.9:80"];
  expect(asked.map((to) => ask(mode, ruleReport([web]), POD, to).verdict)).toEqual(verdicts);
  const around = { ...ruleReport([]).around, partial: true };
  expect(asked.map((to) => ask(mode, ruleReport([web], { around }), POD, to).verdict)).toEqual([
    "pass",
    "pass",
    "pass",
  ]);
});

test("IPVS' scheduler is named", () => {
  expect(ask("ipvs", ruleReport([web]), OUTSIDE, "10.96.0.10:80").reason).toContain("by IPVS scheduler wlc");
});
