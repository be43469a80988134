// SPDX-License-Identifier: Apache-2.0
// A client that asks a VIP a moment before its rules are there asks again with the same segment, and is served then: netfilter
// does not go on remembering that nobody translated the first.

import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

describe.each(["nftables", "iptables"])("mode %s", (mode) => {
  // Netfilter tracks only where rules ask it to: those of some Service.
  const cluster = useCluster({
    nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
    agentFlags: ["--mode", mode],
    services: (lab) => [
      { name: "other", number: 20, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] },
    ],
  });

  beforeAll(async () => {
    await cluster().lab.serve(cluster().lab.pod("p1b"));
  });

  test.each(["v4", "v6"] as const)(
    "who asked before the Service was there is served once it is, %s",
    async (family) => {
      const { lab, manifests } = cluster();
      const number = family === "v4" ? 10 : 11;
      const address = serviceAddresses(number).clusterIP[family];
      const client = await cluster().wire(lab.pod("p1a"));
      const asked = client.tcp({ address, port: 80, count: 1, timeoutMs: 15_000 });
      const node = lab.node("n1");
      await until("netfilter remembers the question", async () => {
        const args = ["-L", "-p", "tcp", "--state", "SYN_SENT", "-f", family === "v4" ? "ipv4" : "ipv6"];
        return (await lab.exec(node, ["conntrack", ...args])).includes(`dst=${address} `);
      });
      const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
      writeService(manifests, { name: `late${number}`, number, protocols: ["TCP"], endpoints });
      expect(await asked).toMatchObject({ answered: 1, failures: {} });
    },
  );
});
