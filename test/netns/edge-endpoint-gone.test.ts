// SPDX-License-Identifier: Apache-2.0
// A client that sends all its datagrams from one port follows its Service's endpoints (row 58 of the behaviour contract),
// also when the endpoint it leaves goes on serving another Service.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { pathServices, servePaths } from "../support/paths.ts";

describe("the endpoints of a Service change under a UDP client", () => {
  const cluster = useCluster({ firewall: "realistic", services: pathServices });
  beforeAll(() => servePaths(cluster().lab));

  test.each(["v4", "v6"] as const)("which goes to whom serves it now, %s", async (family) => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const remote = pathServices(lab).find(({ name }) => name === "remote");
    if (!remote) throw new Error("the paths have no remote Service");
    const many = { address: lab.node("n1").address[family], port: 30_005, localPort: 46_000, count: 2 };
    expect(await client.udp(many)).toMatchObject({ pods: { p2a: 2 } });
    await cluster().write({ ...remote, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] });
    expect(await client.udp(many)).toMatchObject({ pods: { p1b: 2 } });
    await cluster().write({ ...remote, endpoints: [] });
    expect(await client.udp({ ...many, timeoutMs: 500 })).toMatchObject({ answered: 0 });
    await cluster().write(remote);
    expect(await client.udp(many)).toMatchObject({ pods: { p2a: 2 } });
  });
});
