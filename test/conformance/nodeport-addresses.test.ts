// SPDX-License-Identifier: Apache-2.0
// NodePorts answer on the node's own addresses as they come and go (behaviour rows 27 and 28), by socket and by packet.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { readyAgent } from "../support/agent.ts";
import { patience } from "../support/guest.ts";
import { useLab } from "../support/lab.ts";
import { writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { driverUnderTest } from "./driver.ts";

const NODE_PORT = 30080;
const LATER = "192.168.50.78";
const CARD = { v4: "10.77.0.1", v6: "fd00:77::1" };
const CARD_CLIENT = { v4: "10.77.0.10", v6: "fd00:77::10" };
const ADDED = { v4: "192.168.50.77", v6: "fd00:50::77" };

const FLAGS = ["--devices", "eth0", ...driverUnderTest().agentFlags];

describe("NodePort addresses", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let node: NodeHost;
  let manifests: string;
  let socket: TrafficAgent;
  let wire: TrafficAgent;

  const serves = async (asker: TrafficAgent, address: string) =>
    (await asker.tcp({ address, port: NODE_PORT, count: 1, timeoutMs: patience(500) })).answered === 1;

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
    "row 27: an address the node gets serves NodePorts, and stops when it goes (%s)",
    async (family) => {
      const lab = getLab();
      const agent = await readyAgent(lab, node, manifests, { flags: FLAGS });
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

  test("row 27: an address whose prefix length changes serves all the while", async () => {
    const lab = getLab();
    const agent = await readyAgent(lab, node, manifests, { flags: FLAGS });
    await lab.ip(node, `addr add ${ADDED.v4}/24 dev eth0`);
    await until("the new address serves", () => serves(wire, ADDED.v4));
    await lab.ip(node, `addr add ${ADDED.v4}/20 dev eth0`, `addr del ${ADDED.v4}/24 dev eth0`);
    await lab.ip(node, `addr add ${LATER}/24 dev eth0`);
    await until("the agent has seen all of it", () => serves(wire, LATER));
    for (const asker of [socket, wire]) expect(await serves(asker, ADDED.v4)).toBe(true);
    await lab.ip(node, `addr del ${ADDED.v4}/20 dev eth0`, `addr del ${LATER}/24 dev eth0`);
    await agent.stop();
  });

  test("row 27: a second network card serves, though no default route leads there", async () => {
    const lab = getLab();
    await lab.ip(node, "link add eth1 link eth0 type macvlan mode bridge", "link set eth1 up");
    await lab.ip(node, `addr add ${CARD.v4}/24 dev eth1`, `addr add ${CARD.v6}/64 dev eth1 nodad`);
    await lab.ip(lab.client, `addr add ${CARD_CLIENT.v4}/24 dev eth0`, `addr add ${CARD_CLIENT.v6}/64 dev eth0 nodad`);
    const agent = await readyAgent(lab, node, manifests, { flags: FLAGS });
    for (const address of [CARD.v4, CARD.v6]) {
      for (const asker of [socket, wire]) await until(`${address} serves`, () => serves(asker, address));
    }
    await agent.stop();
    await lab.ip(node, "link del eth1");
  });

  test("row 28: primary means the Node object's addresses, as soon as its manifest is there", async () => {
    const lab = getLab();
    await portolan(node, ["cleanup"]); // else those that an earlier agent served would serve until then
    const flags = [...FLAGS, "--nodeport-addresses", "primary"];
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

  test.each([
    ["v4", "198.51.100.200/32"],
    ["v6", "2001:db8:51::200/128"],
  ] as const)(
    "row 27: so does an address on the loopback device, that others are routed to (%s)",
    async (_family, vip) => {
      const lab = getLab();
      const agent = await readyAgent(lab, node, manifests, { flags: FLAGS });
      const address = vip.replace(/\/.*/, "");
      await lab.ip(node, `addr add ${vip} dev lo`);
      for (const asker of [socket, wire]) await until("the address serves", () => serves(asker, address));
      await lab.ip(node, `addr del ${vip} dev lo`);
      await agent.stop();
    },
  );

  test("row 28: CIDRs choose the addresses of their family, and a family without one keeps all, with a warning", async () => {
    const flags = [...FLAGS, "--nodeport-addresses", "192.0.2.0/24,198.51.100.0/24"];
    const agent = await readyAgent(getLab(), node, manifests, { flags });
    expect(await serves(socket, node.address.v4)).toBe(false);
    expect(await serves(socket, node.address.v6)).toBe(true);
    expect(agent.stderr).toMatch(
      / WARN --nodeport-addresses names no IPv6 addresses, so NodePorts are served on all of this node's: add ::\/0 if that is meant\n/,
    );
    await agent.stop();
  });

  test("row 28: one of several CIDRs is enough, and 0.0.0.0/0 is all", async () => {
    const lab = getLab();
    const several = [...FLAGS, "--nodeport-addresses", `192.0.2.0/24,${node.address.v4}/32,2001:db8::/32`];
    const narrow = await readyAgent(lab, node, manifests, { flags: several });
    for (const asker of [socket, wire]) {
      expect(await serves(asker, node.address.v4)).toBe(true);
      expect(await serves(asker, node.address.v6)).toBe(false);
    }
    expect(narrow.stderr).not.toMatch(/ WARN /);
    await narrow.stop();
    const all = [...FLAGS, "--nodeport-addresses", "0.0.0.0/0,::/0"];
    const wide = await readyAgent(lab, node, manifests, { flags: all });
    for (const asker of [socket, wire]) {
      expect(await serves(asker, node.address.v4)).toBe(true);
      expect(await serves(asker, node.address.v6)).toBe(true);
    }
    await wide.stop();
  });
});
