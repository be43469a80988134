// SPDX-License-Identifier: Apache-2.0
// NodePorts answer on the node's own addresses as they come and go (behaviour rows 27 and 28), by socket and by packet.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const NODE_PORT = 30080;
const ADDED = { v4: "192.168.50.77", v6: "fd00:50::77" };

describe("NodePort addresses", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let node: NodeHost;
  let manifests: string;
  let socket: TrafficAgent;
  let wire: TrafficAgent;

  const serves = async (asker: TrafficAgent, address: string) =>
    (await asker.tcp({ address, port: NODE_PORT, count: 1, timeoutMs: 500 })).answered === 1;

  beforeAll(async () => {
    const lab = getLab();
    node = lab.node("n1");
    manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
    writeService(manifests, { name: "web", number: 1, nodePort: NODE_PORT, endpoints });
    await lab.serve(lab.pod("p1b"));
    socket = await lab.agentIn(lab.pod("p1a"));
    wire = await lab.agentIn(lab.client);
  });

  test.each(["v4", "v6"] as const)(
    "an address the node gets serves NodePorts, and stops when it goes (%s)",
    async (family) => {
      const lab = getLab();
      const agent = await readyAgent(lab, node, manifests);
      for (const asker of [socket, wire]) {
        expect(await serves(asker, node.address[family])).toBe(true);
        expect(await serves(asker, ADDED[family])).toBe(false);
      }
      const prefix = family === "v4" ? "24" : "64 nodad";
      await lab.ip(node, `addr add ${ADDED[family]}/${prefix} dev eth0`);
      for (const asker of [socket, wire]) {
        await until("the new address serves", () => serves(asker, ADDED[family]));
      }
      await lab.ip(node, `addr del ${ADDED[family]}/${prefix.replace(" nodad", "")} dev eth0`);
      await until("the address that went does not serve", async () => !(await serves(socket, ADDED[family])));
      await agent.stop();
    },
  );

  test("primary means the Node object's addresses, as soon as its manifest is there", async () => {
    const lab = getLab();
    const flags = ["--devices", "eth0", "--nodeport-addresses", "primary"];
    const agent = await readyAgent(lab, node, manifests, { flags });
    expect(agent.stderr).toMatch(/ WARN --nodeport-addresses primary: no Node n1 is known yet, .*: add its manifest\n/);
    expect(await serves(socket, node.address.v4)).toBe(false);
    const addresses = [{ type: "InternalIP", address: node.address.v4 }];
    const manifest = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {}, status: { addresses } };
    writeFileSync(join(manifests, "node.json"), JSON.stringify(manifest));
    await until("the Node's address serves", () => serves(socket, node.address.v4));
    expect(await serves(socket, node.address.v6)).toBe(false);
    await agent.stop();
  });

  test("CIDRs choose the addresses of their family", async () => {
    const flags = ["--devices", "eth0", "--nodeport-addresses", "192.0.2.0/24"];
    const agent = await readyAgent(getLab(), node, manifests, { flags });
    expect(await serves(socket, node.address.v4)).toBe(false);
    expect(await serves(socket, node.address.v6)).toBe(true);
    await agent.stop();
  });
});
