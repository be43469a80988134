// SPDX-License-Identifier: Apache-2.0
// Clause E5 of the rule of the edge: a flow that enters and leaves by uplinks is translated at both edges at once and never
// meets the node's stack: its FORWARD policy may drop everything, and its conntrack knows nothing of the flow.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { pathServices, servePaths } from "../support/paths.ts";

const BACKENDS = [
  { kind: "a pod of another node", nodePort: 30_005, answers: "p2a" },
  { kind: "another node's own network", nodePort: 30_007, answers: "n2" },
  { kind: "the client itself", nodePort: 30_009, answers: "client" },
];

describe("transit through a node that forwards nothing", () => {
  const cluster = useCluster({
    firewall: "realistic",
    services: pathServices,
    agentFlags: ["--mark-bits", "3,4"], // any two will do
  });
  beforeAll(async () => {
    const { lab } = cluster();
    await servePaths(lab);
    for (const command of ["iptables", "ip6tables"]) {
      await lab.exec(lab.node("n1"), [command, "-I", "FORWARD", "-j", "DROP"]);
      // something that asks for the state of every packet, so that what passes is tracked
      await lab.exec(lab.node("n1"), [command, "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"]);
    }
  });

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(BACKENDS)("a NodePort reaches $kind, and conntrack has not seen it", async ({ nodePort, answers }) => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const target = { address: lab.node("n1").address[family], port: nodePort };
      const held = await client.hold(target);
      expect(held.answer).toMatchObject({ pod: answers, peer: lab.node("n1").address[family] });
      expect(await client.udp({ ...target, count: 5 })).toMatchObject({ answered: 5, failures: {} });
      const table = await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]);
      expect(table).not.toContain(`sport=${held.answer.peerPort}`);
      expect(table).not.toContain(`dport=${nodePort}`);
      await held.echo();
      await held.close();
    });

    test("conntrack does see what ends on the node itself", async () => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const held = await client.hold({ address: lab.node("n1").address[family], port: 30_008 });
      const table = await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]);
      expect(table).toContain("dport=9090");
      await held.close();
    });
  });
});
