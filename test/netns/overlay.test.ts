// SPDX-License-Identifier: Apache-2.0
// Clause E6 of the rule of the edge, live: pods' packets go from node to node by VXLAN, and by a TUN device without
// Ethernet headers. Replies are translated back where they arrive, and backends see the address of the device that leads
// to them. Nobody has to name these devices to the agent. Behind a firewall: docker.test.ts.
import { describe, expect, test } from "vitest";
import { portolan } from "../../src/demo/portolan.ts";
import { carriedServices } from "../support/carried.ts";
import { testCarried, testPathMtu } from "../support/carried-tests.ts";
import { useCluster } from "../support/cluster.ts";
import { carryBy } from "../support/overlay.ts";

const ROLES = {
  vxlan: { "flannel.1": ["uplink", "overlay"], "flannel-v6.1": ["uplink", "overlay"] },
  tun: { wg0: ["uplink", "l3", "overlay"] },
} as const;

describe.each(["vxlan", "tun"] as const)("rows 25, 36, 37, 49: %s between the nodes", (carrier) => {
  const cluster = useCluster({ services: carriedServices, prepare: (lab) => carryBy(lab, carrier) });

  test("the devices are known as what they are", async () => {
    const { devices } = JSON.parse(await portolan(cluster().lab.node("n1"), ["status", "-o", "json"]));
    for (const [name, roles] of Object.entries(ROLES[carrier])) {
      const found = devices.find(({ device }: { device: string }) => device === name);
      expect(found).toMatchObject({ roles, hooks: ["ingress", "egress"] });
    }
  });

  testCarried(cluster, carrier);
  testPathMtu(cluster, carrier);
});
