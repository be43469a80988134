// SPDX-License-Identifier: Apache-2.0
// Balanced sockets of pods and of the node in a lab with an agent on each node: every kind of address, both families,
// TCP and UDP. What a backend sees is the client's own address: sockets connect to it themselves.

import { describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import { type Cluster, useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";

const WEB = 11;
const SELF = 12;
const EMPTY = 13;
const NODE_PORT = 30_111;
const families = ["v4", "v6"] as const;

const cluster = useCluster({
  firewall: "realistic",
  services: (lab) => [
    {
      name: "web",
      number: WEB,
      nodePort: NODE_PORT,
      external: true,
      endpoints: ["p1b", "p2a"].map((name) => {
        const pod = lab.pod(name);
        return { address: pod.address, nodeName: pod.nodeName };
      }),
    },
    { name: "self", number: SELF, endpoints: [{ address: lab.pod("p1a").address, nodeName: "n1" }] },
    { name: "empty", number: EMPTY, endpoints: [] },
  ],
});

const serving = new Set<string>();

/** Starts the servers behind the Services, once. */
async function served(): Promise<Cluster> {
  for (const name of ["p1a", "p1b", "p2a"]) {
    if (serving.has(name)) continue;
    serving.add(name);
    await cluster().lab.serve(cluster().lab.pod(name));
  }
  return cluster();
}

function shown(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** TCP, connected and unconnected UDP: all answered by the backends, all from address:port, all seen as the client. */
async function expectServed(client: Host, address: string, port: number, source: string): Promise<void> {
  const agent = await (await served()).socket(client);
  const target = { address, port, count: 20, concurrency: 4 };
  const results = [await agent.tcp(target), await agent.udp(target), await agent.udp({ ...target, connected: true })];
  for (const result of results) {
    expect(result).toMatchObject({ answered: 20, failed: 0, failures: {} });
    expect(Object.keys(result.pods).sort()).toEqual(["p1b", "p2a"]);
    expect(result.sources).toEqual({ [source]: 20 });
    expect(result.remotes).toEqual({ [shown(address, port)]: 20 });
  }
  for (const answer of results[2]?.answers ?? []) expect(answer.peername).toBe(shown(address, port));
}

describe.each(families)("%s", (family) => {
  const { clusterIP, externalIP, loadBalancer } = serviceAddresses(WEB);
  const places = [
    { name: "a ClusterIP", address: clusterIP[family], port: 80 },
    { name: "an externalIP", address: externalIP[family], port: 80 },
    { name: "a LoadBalancer VIP", address: loadBalancer[family], port: 80 },
  ];

  test.each(places)("a pod reaches $name and is seen with its own address", async ({ address, port }) => {
    const pod = cluster().lab.pod("p1a");
    await expectServed(pod, address, port, pod.address[family]);
  });

  test.each(places)("a process of the node reaches $name", async ({ address, port }) => {
    const node = cluster().lab.node("n1");
    const agent = await (await served()).socket(node);
    for (const result of [
      await agent.tcp({ address, port, count: 20 }),
      await agent.udp({ address, port, count: 20 }),
    ]) {
      expect(result).toMatchObject({ answered: 20, failed: 0, remotes: { [shown(address, port)]: 20 } });
      expect(Object.keys(result.pods).sort()).toEqual(["p1b", "p2a"]);
    }
  });

  test("a pod reaches a NodePort at its node's address", async () => {
    const { lab } = cluster();
    const pod = lab.pod("b1a");
    await expectServed(pod, lab.node("n1").address[family], NODE_PORT, pod.address[family]);
  });

  test("the node reaches a NodePort at its own address and on loopback, a pod not on loopback", async () => {
    const { lab } = await served();
    const node = await cluster().socket(lab.node("n1"));
    const pod = await cluster().socket(lab.pod("p1a"));
    const loopback = family === "v4" ? "127.0.0.1" : "::1";
    for (const address of [lab.node("n1").address[family], loopback]) {
      const result = await node.tcp({ address, port: NODE_PORT, count: 20 });
      expect(result).toMatchObject({ answered: 20, failed: 0, remotes: { [shown(address, NODE_PORT)]: 20 } });
      expect(await node.udp({ address, port: NODE_PORT, count: 20 })).toMatchObject({ answered: 20, failed: 0 });
    }
    expect(await pod.tcp({ address: loopback, port: NODE_PORT, count: 2 })).toMatchObject({
      failures: { ECONNREFUSED: 2 },
    });
  });

  test("a pod reaches itself through its own Service", async () => {
    const pod = cluster().lab.pod("p1a");
    const agent = await (await served()).socket(pod);
    const address = serviceAddresses(SELF).clusterIP[family];
    for (const result of [
      await agent.tcp({ address, port: 80, count: 5 }),
      await agent.udp({ address, port: 80, count: 5 }),
    ]) {
      expect(result).toMatchObject({ answered: 5, pods: { p1a: 5 }, remotes: { [shown(address, 80)]: 5 } });
    }
  });

  test("a Service without endpoints refuses at once, from a pod and from the node", async () => {
    const address = serviceAddresses(EMPTY).clusterIP[family];
    for (const host of [cluster().lab.pod("p1a"), cluster().lab.node("n1")]) {
      const agent = await cluster().socket(host);
      const begun = performance.now();
      expect(await agent.tcp({ address, port: 80, count: 3 })).toMatchObject({ failures: { ECONNREFUSED: 3 } });
      expect(await agent.udp({ address, port: 80, count: 3 })).toMatchObject({ failures: { ECONNREFUSED: 3 } });
      expect(performance.now() - begun).toBeLessThan(1000); // the first SYN retry would come after that
    }
  });
});
