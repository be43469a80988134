// SPDX-License-Identifier: Apache-2.0
// Beside Docker: its rules with FORWARD policy DROP before those of a CNI, INVALID dropped, whatever carries packets from
// node to node. Services work, for Docker's containers too, and what Docker publishes goes on too.
import { beforeAll, describe, expect, test } from "vitest";
import { carriedServices, carriedTarget } from "../support/carried.ts";
import { testCarried, testPathMtu } from "../support/carried-tests.ts";
import { useCluster } from "../support/cluster.ts";
import { installDocker, PUBLISHED_PORT } from "../support/docker.ts";
import { carrierAddress, carryBy } from "../support/overlay.ts";

const NODES = [
  { name: "n1", routedPods: ["p1a", "p1b", "c1"], bridgedPods: ["b1a"] },
  { name: "n2", routedPods: ["p2a", "c2"] },
];
const surroundings = ["host routes", "vxlan", "tun"] as const;

describe.each(surroundings)("rows 36, 37, 42, 49: beside Docker's rules, %s between the nodes", (carrier) => {
  const cluster = useCluster({
    nodes: NODES,
    firewall: "realistic",
    brNetfilter: 1,
    services: carriedServices,
    prepare: async (lab) => {
      await carryBy(lab, carrier);
      await installDocker(lab, lab.node("n1"), lab.pod("c1"));
      await installDocker(lab, lab.node("n2"), lab.pod("c2"));
    },
  });
  beforeAll(async () => {
    await cluster().lab.serve(cluster().lab.pod("c1"));
  });

  testCarried(cluster, carrier);
  if (carrier !== "host routes") testPathMtu(cluster, carrier);

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test("a container of Docker reaches Services with endpoints near and far, who see the node", async () => {
      const { lab } = cluster();
      const container = await cluster().wire(lab.pod("c1"));
      const near = { ...carriedTarget(lab, { service: "near", frontend: "clusterIP" }, carrier, family), count: 3 };
      const far = { ...carriedTarget(lab, { service: "far", frontend: "clusterIP" }, carrier, family), count: 3 };
      const sources = { [carrierAddress(lab.node("n1"), carrier)[family]]: 3 };
      expect(await container.tcp(near)).toMatchObject({ pods: { p1b: 3 }, failures: {} });
      expect(await container.udp(near)).toMatchObject({ pods: { p1b: 3 }, failures: {} });
      expect(await container.tcp(far)).toMatchObject({ pods: { p2a: 3 }, failures: {}, sources });
      expect(await container.udp(far)).toMatchObject({ pods: { p2a: 3 }, failures: {}, sources });
    });

    test("what Docker publishes is served by its container, to clients outside and to pods elsewhere", async () => {
      const { lab } = cluster();
      const published = { address: lab.node("n1").address[family], port: PUBLISHED_PORT, count: 3 };
      for (const host of [lab.client, lab.pod("p2a")]) {
        const client = await cluster().wire(host);
        expect(await client.tcp(published)).toMatchObject({ pods: { c1: 3 }, failures: {} });
      }
    });
  });
});
