// SPDX-License-Identifier: Apache-2.0
// Traffic policies and the fallback to terminating endpoints with real sockets (behaviour rows 17-19 and 31-37): who
// answers, with which source, or how it is refused. On the wire, and with balanced sockets.
import { describe } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Endpoint, ServiceSpec } from "../support/manifests.ts";
import { askRows, type Question, question } from "./ask.ts";
import { useDriver } from "./driver.ts";

const DRAINING = { ready: false, serving: true, terminating: true };
const UNREADY = { ready: false, serving: true, terminating: false };

/** p1b and b1b are on n1, p2a on n2. */
function services(lab: Lab): readonly ServiceSpec[] {
  const at = (name: string, conditions?: Endpoint["conditions"]): Endpoint => {
    const { address, nodeName } = lab.pod(name);
    return { address, nodeName, ...(conditions === undefined ? {} : { conditions }) };
  };
  const external = { external: true, externalTrafficPolicy: "Local" } as const;
  const internal = { internalTrafficPolicy: "Local" } as const;
  const both = [at("p1b"), at("p2a")];
  const hereEnding = [at("p1b", DRAINING), at("p2a")];
  const allEnding = [at("p1b", DRAINING), at("p2a", DRAINING), at("b1b", UNREADY)];
  return [
    { name: "spread", number: 1, nodePort: 30101, ...external, endpoints: both },
    { name: "elsewhere", number: 2, nodePort: 30102, ...external, endpoints: [at("p2a")] },
    { name: "nowhere", number: 3, nodePort: 30103, ...external, endpoints: [at("p2a", UNREADY)] },
    { name: "internal", number: 4, nodePort: 30104, ...internal, external: true, endpoints: both },
    { name: "internal-elsewhere", number: 5, ...internal, endpoints: [at("p2a")] },
    { name: "internal-nowhere", number: 6, ...internal, endpoints: [at("p2a", UNREADY)] },
    { name: "ending-here", number: 7, nodePort: 30107, ...external, endpoints: hereEnding },
    { name: "ending-here-internal", number: 8, ...internal, endpoints: hereEnding },
    { name: "ending-here-cluster", number: 9, nodePort: 30109, external: true, endpoints: hereEnding },
    { name: "all-ending", number: 10, nodePort: 30110, ...external, endpoints: allEnding },
    { name: "all-ending-cluster", number: 11, nodePort: 30111, external: true, endpoints: allEnding },
    { name: "both-policies", number: 12, nodePort: 30112, ...external, ...internal, endpoints: both },
  ];
}

const QUESTIONS: readonly Question[] = [
  // the client keeps its address, and only endpoints of the node it came to answer
  question(34, "client", "wire", "spread", "nodePort", ["p1b"]),
  question(34, "client", "wire", "spread", "nodePort of n2", ["p2a"]),
  question(34, "client", "wire", "spread", "externalIP", ["p1b"]),
  question(34, "client", "wire", "spread", "loadBalancer", ["p1b"]),
  question(34, "client", "wire", "both-policies", "nodePort", ["p1b"]),
  // pods and the host get all endpoints
  question(34, "p1a", "wire", "spread", "nodePort", ["p1b", "p2a"]),
  question(34, "b1a", "wire", "spread", "externalIP", ["p1b", "p2a"]),
  question(34, "p1a", "wire", "spread", "loadBalancer", ["p1b", "p2a"]),
  question(34, "p1a", "socket", "spread", "nodePort", ["p1b", "p2a"]),
  question(34, "n1", "socket", "spread", "loadBalancer", ["p1b", "p2a"], "node"),
  question(34, "p1a", "wire", "elsewhere", "nodePort", ["p2a"]),
  question(34, "p1a", "wire", "elsewhere", "loadBalancer", ["p2a"]),
  question(34, "p1a", "socket", "elsewhere", "externalIP", ["p2a"]),
  question(34, "n1", "socket", "elsewhere", "nodePort", ["p2a"], "node"),
  question(34, "p1a", "wire", "both-policies", "nodePort", ["p1b", "p2a"]),
  question(34, "p1a", "socket", "both-policies", "loadBalancer", ["p1b", "p2a"]),
  // the external policy is nothing to the cluster IP
  question(37, "p1a", "wire", "spread", "clusterIP", ["p1b", "p2a"]),
  question(37, "client", "wire", "elsewhere", "clusterIP", ["p2a"], "node"),
  // nobody here, somebody elsewhere: silence outside
  question(33, "client", "wire", "elsewhere", "nodePort", "TIMEOUT"),
  question(33, "client", "wire", "elsewhere", "externalIP", "TIMEOUT"),
  question(33, "client", "wire", "elsewhere", "loadBalancer", "TIMEOUT"),
  question(33, "p1a", "wire", "internal-elsewhere", "clusterIP", "TIMEOUT"),
  question(33, "p1a", "socket", "internal-elsewhere", "clusterIP", "TIMEOUT"),
  question(33, "n1", "socket", "internal-elsewhere", "clusterIP", "TIMEOUT"),
  // nobody anywhere
  question(31, "client", "wire", "nowhere", "nodePort", "ECONNREFUSED"),
  question(31, "client", "wire", "nowhere", "externalIP", "ECONNREFUSED"),
  question(31, "client", "wire", "nowhere", "loadBalancer", "ECONNREFUSED"),
  question(31, "p1a", "wire", "nowhere", "nodePort", "ECONNREFUSED"),
  question(31, "p1a", "wire", "internal-nowhere", "clusterIP", "ECONNREFUSED"),
  question(31, "p1a", "socket", "internal-nowhere", "clusterIP", "ECONNREFUSED"),
  question(31, "n1", "socket", "nowhere", "nodePort", "ECONNREFUSED"),
  // the internal policy binds the cluster IP alone
  question(15, "p1a", "wire", "internal", "clusterIP", ["p1b"]),
  question(15, "b1a", "wire", "internal", "clusterIP", ["p1b"]),
  question(15, "p1a", "socket", "internal", "clusterIP", ["p1b"]),
  question(15, "n1", "socket", "internal", "clusterIP", ["p1b"], "node"),
  question(39, "p2a", "wire", "internal", "clusterIP", ["p2a"], "node"),
  question(39, "p2a", "socket", "internal", "clusterIP", ["p2a"], "node"),
  question(37, "client", "wire", "internal", "clusterIP", ["p1b"], "node"),
  question(36, "client", "wire", "internal", "nodePort", ["p1b", "p2a"], "node"),
  question(36, "p1a", "wire", "internal", "loadBalancer", ["p1b", "p2a"], "node"),
  question(36, "p1a", "socket", "internal", "loadBalancer", ["p1b", "p2a"], "node"),
  // each set falls back by itself
  question(18, "client", "wire", "ending-here", "nodePort", ["p1b"]),
  question(18, "client", "wire", "ending-here", "loadBalancer", ["p1b"]),
  question(18, "p1a", "wire", "ending-here-internal", "clusterIP", ["p1b"]),
  question(18, "p1a", "socket", "ending-here-internal", "clusterIP", ["p1b"]),
  question(18, "p1a", "wire", "ending-here", "nodePort", ["p2a"]),
  question(18, "p1a", "socket", "ending-here", "clusterIP", ["p2a"]),
  question(17, "client", "wire", "ending-here-cluster", "nodePort", ["p2a"], "node"),
  question(17, "p1a", "wire", "all-ending-cluster", "clusterIP", ["p1b", "p2a"]),
  question(17, "p1a", "socket", "all-ending-cluster", "clusterIP", ["p1b", "p2a"]),
  question(17, "client", "wire", "all-ending-cluster", "nodePort", ["p1b", "p2a"], "node"),
  question(18, "client", "wire", "all-ending", "nodePort", ["p1b"]),
  question(17, "p1a", "wire", "all-ending", "nodePort", ["p1b", "p2a"]),
];

describe("traffic policies behind a realistic firewall", () => {
  askRows(useDriver({ firewall: "realistic", services }), services, QUESTIONS);
});
