// SPDX-License-Identifier: Apache-2.0
// 100 MB each way through translated connections: veths hand over CHECKSUM_PARTIAL and GSO packets as their senders
// made them, so a rewrite that gets either wrong stalls or corrupts the stream.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { hostOf, PATHS, pathServices, pathTarget, servePaths } from "../support/paths.ts";

const BYTES = 100_000_000;

const ways = PATHS.filter(({ from, service, frontend }) =>
  [
    "p1a routed clusterIP",
    "b1a bridged clusterIP",
    "b1a remote clusterIP",
    "client routed nodePort",
    "client remote nodePort",
  ].includes(`${from} ${service} ${frontend}`),
);

describe("100 MB through the tc programs", () => {
  const cluster = useCluster({ firewall: "realistic", brNetfilter: 1, services: pathServices });
  beforeAll(() => servePaths(cluster().lab));

  test("veths of the lab segment late and leave checksums to the device", async () => {
    const { lab } = cluster();
    for (const [host, device] of [
      [lab.client, "eth0"],
      [lab.node("n1"), "v_p1a"],
    ] as const) {
      const features = await lab.exec(host, ["ethtool", "-k", device]);
      expect(features).toMatch(/^tcp-segmentation-offload: on$/m);
      expect(features).toMatch(/^tx-checksumming: on$/m);
    }
  });

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(ways)("$from to $service by $frontend, down and up", async (way) => {
      const { lab } = cluster();
      const client = await cluster().wire(hostOf(lab, way.from));
      const transfer = { ...pathTarget(lab, way, family), bytes: BYTES, timeoutMs: 30_000 };
      expect(await client.download(transfer)).toMatchObject({ bytes: BYTES });
      expect(await client.upload(transfer)).toMatchObject({ bytes: BYTES });
    });
  });
});
