// SPDX-License-Identifier: Apache-2.0
// Mode nftables and a ClusterIP that is an address of an interface of the node, with a real listener, as NodeLocal DNSCache has
// it: to pods the listener comes first. The node's own processes meet the Service, unless the cache's NOTRACK rules say otherwise.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { DNS, dnsServices, METRICS } from "../support/dns-services.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const vip = serviceAddresses(10).clusterIP;

const cluster = useCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
  agents: ["n1"],
  agentFlags: ["--mode", "nftables"],
  services: (lab) => dnsServices({ address: lab.pod("p2a").address, nodeName: "n2" }),
});

beforeAll(() => cluster().lab.serve(cluster().lab.pod("p2a")));

describe.each(["v4", "v6"] as const)("a ClusterIP on an interface of the node over %s", (family) => {
  const address = vip[family];

  /** Who answers connections and datagrams. */
  async function answers(from: "p1a" | "n1", port: number): Promise<readonly string[]> {
    const { lab } = cluster();
    const client = await cluster().wire(from === "n1" ? lab.node(from) : lab.pod(from));
    const asked = { address, port, count: 3, timeoutMs: 2000 };
    const results = [await client.tcp(asked), await client.udp(asked)];
    return [...new Set(results.flatMap(({ pods, failures }) => [...Object.keys(pods), ...Object.keys(failures)]))];
  }

  test("row 46: a socket that listens there has its ports, the Service the others, and all once it ends", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    const own = family === "v4" ? `${address}/32` : `${address}/128 nodad`;
    expect(await answers("p1a", DNS)).toEqual(["p2a"]);
    const anywhere = await lab.serve(node, { tcp: [DNS], udp: [DNS], name: "anywhere" });
    await lab.ip(node, `addr add ${own} dev lo`);
    await until("the address is the node's", async () => {
      const listed = await lab.exec(node, ["nft", "list", "set", "inet", "portolan", `on-node${family[1]}`]);
      return listed.includes(address);
    });
    expect(await answers("p1a", DNS)).toEqual(["p2a"]); // what listens on every address is meant for the node's own
    await anywhere.stop();
    const cache = await lab.serve(node, { tcp: [DNS], udp: [DNS], address, name: "cache" });
    expect(await answers("p1a", DNS)).toEqual(["cache"]);
    expect(await answers("p1a", METRICS)).toEqual(["p2a"]);
    expect(await answers("n1", DNS)).toEqual(["p2a"]);
    await cache.stop();
    expect(await answers("p1a", DNS)).toEqual(["p2a"]);
    await lab.ip(node, `addr del ${own.replace(" nodad", "")} dev lo`);
  });
});
