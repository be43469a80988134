// SPDX-License-Identifier: Apache-2.0
// Which addresses are a Service's, and that all its endpoints answer there (behaviour rows 24 to 27).

import { describe } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { ServiceSpec } from "../support/manifests.ts";
import { askRows, type Question, question } from "./ask.ts";
import { useDriver } from "./driver.ts";

/** p1b and b1b are on n1, p2a on n2. */
function services(lab: Lab): readonly ServiceSpec[] {
  const at = (name: string) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName });
  const all = [at("p1b"), at("b1b"), at("p2a")];
  return [
    { name: "all", number: 1, nodePort: 30101, external: true, endpoints: all },
    { name: "one", number: 2, nodePort: 30102, external: true, endpoints: [at("p2a")] },
  ];
}

const ALL = ["b1b", "p1b", "p2a"];

const QUESTIONS: readonly Question[] = [
  // the cluster IP: every endpoint answers pods, the host and whoever is routed there
  question(24, "p1a", "wire", "all", "clusterIP", ALL),
  question(24, "p1a", "socket", "all", "clusterIP", ALL),
  question(24, "n1", "socket", "all", "clusterIP", ALL, "node"),
  question(24, "p1a", "wire", "one", "clusterIP", ["p2a"]),
  question(24, "client", "wire", "one", "clusterIP", ["p2a"], "node"),
  // external IPs, which no node owns
  question(25, "client", "wire", "one", "externalIP", ["p2a"], "node"),
  question(25, "p1a", "wire", "one", "externalIP", ["p2a"], "node"),
  question(25, "p1a", "socket", "all", "externalIP", ALL, "node"),
  question(25, "n1", "socket", "all", "externalIP", ALL, "node"),
  // load balancer addresses: who is in the cluster never leaves it
  question(26, "client", "wire", "one", "loadBalancer", ["p2a"], "node"),
  question(26, "p1a", "wire", "one", "loadBalancer", ["p2a"], "node"),
  question(26, "p1a", "socket", "all", "loadBalancer", ALL, "node"),
  question(26, "n1", "socket", "all", "loadBalancer", ALL, "node"),
  // NodePorts
  question(27, "client", "wire", "one", "nodePort", ["p2a"], "node"),
  question(27, "p1a", "wire", "one", "nodePort", ["p2a"], "node"),
  question(27, "p1a", "socket", "all", "nodePort", ALL, "node"),
  question(27, "n1", "socket", "all", "nodePort", ALL, "node"),
];

describe("frontends behind a realistic firewall", () => {
  askRows(useDriver({ firewall: "realistic", services }), services, QUESTIONS);
});
