// SPDX-License-Identifier: Apache-2.0
// An agent that starts while what made a device or an address the node's is away: the earlier agent's word counts.
// The node is one of those that hold their addresses on loopback, behind a card that has none.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";

const PORT = 30_080;
const TARGETS = [
  { address: "192.168.50.1", port: PORT },
  { address: "fd00:50::1", port: PORT },
  { address: "198.51.100.1", port: 80 },
  { address: "2001:db8:51::1", port: 80 },
];
const ALL = TARGETS.map(({ address }) => `${address} 2 of 2`);

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a"] }],
  services: (lab) => [
    {
      name: "web",
      number: 1,
      nodePort: PORT,
      external: true,
      endpoints: [{ address: lab.pod("p1a").address, nodeName: "n1" }],
    },
  ],
  agentFlags: [],
  prepare: async (lab) => {
    const [n1, client] = [lab.node("n1"), lab.client];
    await lab.ip(n1, "link add card0 link eth0 type macvlan mode bridge", "addr flush dev eth0 scope global");
    await lab.ip(n1, "link set card0 up", "addr add 192.168.50.1/32 dev lo", "addr add fd00:50::1/128 dev lo");
    await lab.ip(n1, "route add 192.168.50.10/32 dev card0", "route add fd00:50::10/128 dev card0");
    await lab.ip(n1, ...DEFAULT_ROUTES.map((route) => `route replace ${route}`));
    const [card] = JSON.parse(await lab.exec(n1, ["ip", "-j", "link", "show", "dev", "card0"]));
    for (const address of ["192.168.50.1", "fd00:50::1"])
      await lab.ip(client, `neigh replace ${address} lladdr ${(card as { address: string }).address} dev eth0`);
  },
});
const DEFAULT_ROUTES = ["default via 192.168.50.10 dev card0 onlink", "::/0 via fd00:50::10 dev card0"];

async function answered(): Promise<readonly string[]> {
  const client = await cluster().wire(cluster().lab.client);
  const asked = TARGETS.map(async (target) => {
    const { answered } = await client.tcp({ ...target, count: 2, timeoutMs: 2000 });
    return `${target.address} ${answered} of 2`;
  });
  return Promise.all(asked);
}

let held: readonly HeldConnection[] = [];

beforeAll(async () => {
  const { lab } = cluster();
  await lab.serve(lab.pod("p1a"));
  const client = await cluster().wire(lab.client);
  held = await Promise.all(TARGETS.map((target) => client.hold(target)));
});
afterAll(async () => {
  await Promise.all(held.map((connection) => connection.close()));
});

test("row 14: an agent that starts while the default route is away serves through the device that had it", async () => {
  const { lab } = cluster();
  await cluster().killAgent("n1");
  await lab.ip(lab.node("n1"), ...DEFAULT_ROUTES.map((route) => `route del ${route}`));
  const agent = await cluster().startAgent("n1");
  expect(await answered()).toEqual(ALL);
  await Promise.all(held.map((connection) => connection.echo()));
  expect(agent.stderr).toMatch(/ INFO attached device=card0 roles=uplink\n/);
});
