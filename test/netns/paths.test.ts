// SPDX-License-Identifier: Apache-2.0
// Every path of test/support/paths.ts with real sockets: on the wire, from outside the balanced cgroups, where only the tc
// programs serve them; and with balanced sockets. Bare and behind a realistic firewall, with bridged packets passing
// netfilter and not.
import { beforeAll, describe, expect, test } from "vitest";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { expectedSource, hostOf, PATHS, type Path, pathServices, pathTarget, servePaths } from "../support/paths.ts";

const surroundings = [
  { firewall: "none", brNetfilter: 0 },
  { firewall: "none", brNetfilter: 1 },
  { firewall: "realistic", brNetfilter: 0 },
  { firewall: "realistic", brNetfilter: 1 },
] as const;
const families = ["v4", "v6"] as const;

/** A balanced socket connects to the backend itself: it is seen as who it is, whatever the frontend. */
const SOCKET_PATHS = PATHS.filter(({ from }) => from !== "client").map((way) => ({
  ...way,
  source: "client" as const,
}));

describe.each(surroundings)("firewall $firewall, br_netfilter $brNetfilter", (surrounding) => {
  const cluster = useCluster({ ...surrounding, services: pathServices });
  beforeAll(() => servePaths(cluster().lab));

  describe.each(families)("%s", (family) => {
    test.each(PATHS)("$from to $service by $frontend is answered by $answers, who sees the $source", async (way) => {
      await expectServed(await wire(way), way, family);
    });

    test.each(SOCKET_PATHS)(
      "a balanced socket of $from to $service by $frontend is answered by $answers",
      async (way) => {
        await expectServed(await cluster().socket(hostOf(cluster().lab, way.from)), way, family);
      },
    );
  });

  test("connections of every path outlive an agent that is killed and its successor", async () => {
    const ways = families.flatMap((family) => PATHS.map((way) => ({ way, family })));
    const held = await Promise.all(
      ways.map(async ({ way, family }) => (await wire(way)).hold(pathTarget(cluster().lab, way, family))),
    );
    for (const node of ["n1", "n2"]) await cluster().killAgent(node);
    await Promise.all(held.map((connection) => connection.echo()));
    for (const node of ["n1", "n2"]) await cluster().startAgent(node);
    await Promise.all(held.map((connection) => connection.echo()));
    await Promise.all(held.map((connection) => connection.close()));
  });

  test("a Service that is deleted and comes back keeps its connections, and serves new ones", async () => {
    const { lab } = cluster();
    const remote = pathServices(lab).find(({ name }) => name === "remote");
    const way = PATHS.find(({ service, frontend }) => service === "remote" && frontend === "nodePort");
    if (!remote || !way) throw new Error("the paths have no remote NodePort");
    const client = await wire(way);
    const target = pathTarget(lab, way, "v4");
    const held = await client.hold(target);
    await cluster().remove("remote");
    await held.echo();
    expect(await client.tcp({ ...target, count: 1 })).toMatchObject({ failures: { ECONNREFUSED: 1 } });
    await cluster().write(remote);
    await held.echo();
    expect(await client.tcp({ ...target, count: 5 })).toMatchObject({ answered: 5, failures: {} });
    await held.close();
  });

  function wire(way: Path): Promise<TrafficAgent> {
    return cluster().wire(hostOf(cluster().lab, way.from));
  }

  async function expectServed(client: TrafficAgent, way: Path, family: "v4" | "v6"): Promise<void> {
    const { lab } = cluster();
    const target = pathTarget(lab, way, family);
    const served = {
      answered: 5,
      failures: {},
      pods: { [way.answers]: 5 },
      sources: { [expectedSource(lab, way, family, surrounding.firewall)]: 5 },
    };
    const many = { ...target, count: 5 };
    expect(await client.tcp(many)).toMatchObject(served);
    expect(await client.udp(many)).toMatchObject(served);
    expect(await client.udp({ ...many, connected: true })).toMatchObject(served);
    const bytes = 2_000_000;
    expect(await client.download({ ...target, bytes, timeoutMs: 10_000 })).toMatchObject({ bytes });
    expect(await client.upload({ ...target, bytes, timeoutMs: 10_000 })).toMatchObject({ bytes });
  }
});
