// SPDX-License-Identifier: Apache-2.0
// Clauses E1 and E2 of the rule of the edge: a tuple between our hooks, and a SNAT tuple, belong to one connection each.
// Clients are outside the balanced cgroups, so that the tc programs meet them.
import { beforeAll, describe, expect, test } from "vitest";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { hostOf, pathServices, servePaths } from "../support/paths.ts";
import { until } from "../support/until.ts";

const PORT = 80;
const families = ["v4", "v6"] as const;

/** Destinations that all end at pod p1b, port 8080. */
const ways = ["first VIP", "second VIP", "the pod itself"] as const;
type Way = (typeof ways)[number];

/** All orders in which a client may begin these. */
const orders: readonly (readonly Way[])[] = [
  [ways[0], ways[1], ways[2]],
  [ways[0], ways[2], ways[1]],
  [ways[1], ways[0], ways[2]],
  [ways[1], ways[2], ways[0]],
  [ways[2], ways[0], ways[1]],
  [ways[2], ways[1], ways[0]],
];

/** With one, netfilter tracks connections; without, a direct connection is nobody's business until its backend speaks. */
const firewalls = ["none", "realistic"] as const;

describe.each(firewalls)("E1, firewall: %s", (firewall) => {
  const cluster = useCluster({ firewall, services: pathServices });
  beforeAll(() => servePaths(cluster().lab));
  let nextPort = 20_000;

  function target(way: Way, family: "v4" | "v6"): { address: string; port: number } {
    if (way === "the pod itself") return { address: cluster().lab.pod("p1b").address[family], port: 8080 };
    return { address: serviceAddresses(way === "first VIP" ? 1 : 6).clusterIP[family], port: PORT };
  }

  describe.each(families)("%s", (family) => {
    describe.each(["p1a", "b1a", "p2a"])("from %s", (from) => {
      test.each(orders)(
        "one client port to %s, then %s, then %s: three connections live side by side",
        async (...order) => {
          const client = await cluster().wire(hostOf(cluster().lab, from));
          const localPort = nextPort++;
          const held = [];
          for (const way of order) held.push(await client.hold({ ...target(way, family), localPort, timeoutMs: 3000 }));
          for (let round = 0; round < 3; round++) for (const connection of held) await connection.echo({ count: 2 });
          expect(held.map(({ answer }) => answer.pod)).toEqual(["p1b", "p1b", "p1b"]);
          expect(new Set(held.map(({ answer }) => answer.peerPort)).size).toBe(3);
          expect(held.map(({ answer }) => answer.remote)).toEqual(order.map((way) => withPort(target(way, family))));
          for (const connection of held) await connection.close();
        },
      );
    });

    test.each(orders)(
      "UDP from one client port to %s, then %s, then %s: each reply comes from whom was asked",
      async (...order) => {
        const client = await cluster().wire(cluster().lab.pod("p1a"));
        const localPort = nextPort++;
        for (let round = 0; round < 2; round++) {
          for (const way of order) await expectUdpAnswer(client, target(way, family), localPort);
        }
      },
    );
  });

  if (firewall === "none") return; // what follows is netfilter's to know
  test.each(families)(
    "%s: a datagram to a VIP does not take the tuple of a direct one that waits for its answer",
    async (family) => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.pod("p1a"));
      const other = await lab.agentIn(lab.pod("p1a"), { socketBalancing: false });
      const localPort = nextPort++;
      const pod = target("the pod itself", family);
      const own = { localPort, connected: true, count: 1, timeoutMs: 5000 };
      const answer = client.udp({ ...pod, ...own, payload: "LATER 1500" });
      await until("netfilter tracks the direct datagram", async () => {
        const table = await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]);
        return table.includes(`sport=${localPort} dport=8080`);
      });
      expect(await other.udp({ ...target("first VIP", family), ...own })).toMatchObject({ answered: 1, failures: {} });
      expect(await answer).toMatchObject({ answered: 1, failures: {}, remotes: { [withPort(pod)]: 1 } });
    },
  );

  async function expectUdpAnswer(
    client: TrafficAgent,
    to: { address: string; port: number },
    localPort: number,
  ): Promise<void> {
    const result = await client.udp({ ...to, localPort, count: 1, timeoutMs: 2000 });
    expect(result).toMatchObject({ answered: 1, failures: {}, remotes: { [withPort(to)]: 1 } });
  }
});

function withPort({ address, port }: { address: string; port: number }): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
