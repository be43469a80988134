// SPDX-License-Identifier: Apache-2.0
// An agent that starts while what made a device or an address the node's is away: the earlier agent's word counts.
// The node is one of those that hold their addresses on loopback, behind a card that has none.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { writeNode } from "../support/manifests.ts";

const PORT = 30_080;
const TARGETS = [
  { address: "192.168.50.1", port: PORT },
  { address: "fd00:50::1", port: PORT },
  { address: "198.51.100.1", port: 80 },
  { address: "2001:db8:51::1", port: 80 },
];
/** Another address of the node, which its Node object does not name. */
const OTHER = "192.168.50.77";
const HEALTH_PORT = 30_500;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a"] }],
  services: (lab) => {
    const endpoints = [{ address: lab.pod("p1a").address, nodeName: "n1" }];
    const local = { external: true, externalTrafficPolicy: "Local", healthCheckNodePort: HEALTH_PORT } as const;
    return [
      { name: "web", number: 1, nodePort: PORT, external: true, endpoints },
      { name: "asked", number: 2, ...local, endpoints },
    ];
  },
  agentFlags: ["--nodeport-addresses", "primary"],
  prepare: async (lab) => {
    writeNode(join(lab.plan.directory, "manifests"), "n1", {}, [], { v4: "192.168.50.1", v6: "fd00:50::1" });
    const [n1, client] = [lab.node("n1"), lab.client];
    await lab.ip(n1, "link add card0 link eth0 type macvlan mode bridge", "addr flush dev eth0 scope global");
    await lab.ip(n1, `addr add ${OTHER}/32 dev lo`);
    await lab.ip(n1, "link set card0 up", "addr add 192.168.50.1/32 dev lo", "addr add fd00:50::1/128 dev lo");
    await lab.ip(n1, "route add 192.168.50.10/32 dev card0", "route add fd00:50::10/128 dev card0");
    await lab.ip(n1, ...DEFAULT_ROUTES.map((route) => `route replace ${route}`));
    const [card] = JSON.parse(await lab.exec(n1, ["ip", "-j", "link", "show", "dev", "card0"]));
    for (const address of ["192.168.50.1", "fd00:50::1", OTHER])
      await lab.ip(client, `neigh replace ${address} lladdr ${(card as { address: string }).address} dev eth0`);
  },
});
const DEFAULT_ROUTES = ["default via 192.168.50.10 dev card0 onlink", "::/0 via fd00:50::10 dev card0"];

async function answered(targets: typeof TARGETS): Promise<readonly string[]> {
  const client = await cluster().wire(cluster().lab.client);
  const asked = targets.map(async (target) => {
    const { answered } = await client.tcp({ ...target, count: 2, timeoutMs: 2000 });
    return `${target.address} ${answered} of 2`;
  });
  return Promise.all(asked);
}

describe("an agent that starts while the default route is away and the Node manifest is broken", () => {
  let held: readonly HeldConnection[] = [];
  let agent: LabProcess;

  beforeAll(async () => {
    const { lab, manifests } = cluster();
    await lab.serve(lab.pod("p1a"));
    const client = await cluster().wire(lab.client);
    held = await Promise.all(TARGETS.map((target) => client.hold(target)));
    await cluster().killAgent("n1");
    writeFileSync(join(manifests, "node-n1.json"), "{ broken");
    await lab.ip(lab.node("n1"), ...DEFAULT_ROUTES.map((route) => `route del ${route}`));
    agent = await cluster().startAgent("n1");
  });
  afterAll(async () => {
    await Promise.all(held.map((connection) => connection.close()));
  });

  test("row 14: serves through the device that had the route, what was connected before too", async () => {
    expect(agent.stderr).toMatch(/ INFO attached device=card0 roles=uplink\n/);
    expect(await answered(TARGETS)).toEqual(TARGETS.map(({ address }) => `${address} 2 of 2`));
    await Promise.all(held.map((connection) => connection.echo()));
  });

  test("row 28: serves NodePorts, and answers health checks, on the addresses of the Node that the last one knew", async () => {
    expect(agent.stderr).toContain("served where an earlier agent did: 192.168.50.1, fd00:50::1:");
    expect(await answered([{ address: OTHER, port: PORT }])).toEqual([`${OTHER} 0 of 2`]);
    const { lab } = cluster();
    for (const host of ["192.168.50.1", "[fd00:50::1]"]) {
      const health = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", `http://${host}:${HEALTH_PORT}/`];
      expect(await lab.exec(lab.client, ["curl", "-m", "5", ...health])).toBe("200");
    }
  });
});
