// SPDX-License-Identifier: Apache-2.0
// Every path of test/support/paths.ts on the wire: real sockets outside the balanced cgroups, so that only the tc
// programs serve them. Bare and behind a realistic firewall, with bridged packets passing netfilter and not.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { expectedSource, hostOf, PATHS, type Path, pathServices, pathTarget, servePaths } from "../support/paths.ts";

const surroundings = [
  { firewall: "none", brNetfilter: 0 },
  { firewall: "none", brNetfilter: 1 },
  { firewall: "realistic", brNetfilter: 0 },
  { firewall: "realistic", brNetfilter: 1 },
] as const;

describe.each(surroundings)("firewall $firewall, br_netfilter $brNetfilter", (surrounding) => {
  const cluster = useCluster({ ...surrounding, services: pathServices });
  beforeAll(() => servePaths(cluster().lab));

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(PATHS)("$from to $service by $frontend is answered by $answers, who sees the $source", async (way) => {
      await expectServed(way, family);
    });
  });

  async function expectServed(way: Path, family: "v4" | "v6"): Promise<void> {
    const { lab } = cluster();
    const client = await cluster().wire(hostOf(lab, way.from));
    const target = pathTarget(lab, way, family);
    const served = {
      answered: 5,
      failures: {},
      pods: { [way.answers]: 5 },
      sources: { [expectedSource(lab, way, family, surrounding.firewall)]: 5 },
    };
    const many = { ...target, count: 5, timeoutMs: 2000 };
    expect(await client.tcp(many)).toMatchObject(served);
    expect(await client.udp(many)).toMatchObject(served);
    expect(await client.udp({ ...many, connected: true })).toMatchObject(served);
    const bytes = 2_000_000;
    expect(await client.download({ ...target, bytes, timeoutMs: 10_000 })).toMatchObject({ bytes });
    expect(await client.upload({ ...target, bytes, timeoutMs: 10_000 })).toMatchObject({ bytes });
  }
});
