// SPDX-License-Identifier: Apache-2.0
// The node's address where no Node object says it: that of the default route, also when the kernel drops a route without
// a word.
import { beforeAll, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { until } from "../support/until.ts";

const PORT = 30_080;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a"] }],
  services: (lab) => {
    const endpoints = [{ address: lab.pod("p1a").address, nodeName: "n1" }];
    return [{ name: "web", number: 1, nodePort: PORT, endpoints }];
  },
  prepare: async (lab) => {
    const n1 = lab.node("n1");
    await lab.ip(n1, "link add card1 link eth0 type macvlan mode bridge", "addr add 192.168.60.1/24 dev card1");
    await lab.ip(n1, "link set card1 up", "route del default", "route add default via 192.168.50.10 metric 100");
    await lab.ip(n1, "route add default via 192.168.60.10 dev card1 metric 50");
  },
});

beforeAll(() => cluster().lab.serve(cluster().lab.pod("p1a")));

test("row 41: a device without an address takes that of the default route in force, when a better one's device goes down", async () => {
  const { lab } = cluster();
  const client = await cluster().wire(lab.client);
  const target = { address: "192.168.50.1", port: PORT };
  const source = async () => Object.keys((await client.tcp({ ...target, count: 1 })).sources)[0];
  expect(await source()).toBe("192.168.60.1");
  const held = await client.hold(target);
  await lab.ip(lab.node("n1"), "link set card1 down");
  await until("the other route's address is taken", async () => (await source()) === "192.168.50.1");
  await held.echo();
  await held.close();
});
