// SPDX-License-Identifier: Apache-2.0
// NodePorts at 127.0.0.1 and ::1 (behaviour row 29): for processes of the node alone, by their sockets, with nothing that
// listens; where sockets are balanced, with the node's handling of loopback addresses as it was.
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { driverUnderTest, useDriver } from "./driver.ts";

const NODE_PORT = 30080;
const LOOPBACK = { v4: "127.0.0.1", v6: "::1" };
const families = ["v4", "v6"] as const;
const { localhost, balancesSockets } = driverUnderTest();
const unserved = families.filter((family) => !localhost.includes(family));

describe.runIf(unserved.length > 0)("NodePorts, not at localhost", () => {
  const getCluster = useDriver({
    services: (lab) => [{ name: "web", number: 1, nodePort: NODE_PORT, endpoints: [lab.pod("p1b")] }],
  });

  beforeAll(() => getCluster().lab.serve(getCluster().lab.pod("p1b")));

  test.each(unserved)("row 29: nobody answers at localhost (%s)", async (family) => {
    const { lab } = getCluster();
    const host = await getCluster().socket(lab.node("n1"));
    const ask = (address: string) => host.tcp({ address, port: NODE_PORT, count: 3 });
    expect((await ask(LOOPBACK[family])).failures).toEqual({ ECONNREFUSED: 3 });
    expect((await ask(lab.node("n1").address[family])).answered).toBe(3);
  });
});

describe.skipIf(localhost.length === 0)("NodePorts at localhost", () => {
  const getCluster = useDriver({
    nodes: [
      { name: "n1", routedPods: ["p1a", "p1b"] },
      { name: "n2", routedPods: ["p2a"] },
    ],
    services: (lab) => {
      const endpoints = ["p1b", "p2a"]
        .map((name) => lab.pod(name))
        .map(({ address, nodeName }) => ({ address, nodeName }));
      return [{ name: "web", number: 1, nodePort: NODE_PORT, endpoints }];
    },
  });
  let node: NodeHost;
  let host: TrafficAgent;

  beforeAll(async () => {
    const { lab } = getCluster();
    node = lab.node("n1");
    await Promise.all(["p1b", "p2a"].map((name) => lab.serve(lab.pod(name))));
    host = await getCluster().socket(node);
  });

  test.each(localhost)(
    "row 29: a process of the node reaches every endpoint by TCP and sees localhost (%s)",
    async (family) => {
      const result = await host.tcp({ address: LOOPBACK[family], port: NODE_PORT, count: 60, concurrency: 10 });
      expect(result).toMatchObject({ answered: 60, failures: {} });
      expect(Object.keys(result.pods).sort()).toEqual(["p1b", "p2a"]);
      expect(Object.keys(result.sources)).toEqual([node.address[family]]);
      expect(Object.keys(result.remotes)).toEqual([family === "v4" ? "127.0.0.1:30080" : "[::1]:30080"]);
    },
  );

  const byDatagrams = localhost.flatMap((family) => [true, false].map((connected) => [family, connected] as const));
  test.each(byDatagrams)("row 29: and by UDP (%s, connected: %s)", async (family, connected) => {
    const result = await host.udp({
      address: LOOPBACK[family],
      port: NODE_PORT,
      count: 60,
      concurrency: 10,
      connected,
    });
    expect(result).toMatchObject({ answered: 60, failures: {} });
    expect(Object.keys(result.pods).sort()).toEqual(["p1b", "p2a"]);
    expect(Object.keys(result.sources)).toEqual([node.address[family]]);
    expect(Object.keys(result.remotes)).toEqual([family === "v4" ? "127.0.0.1:30080" : "[::1]:30080"]);
  });

  test("row 29: a connection at localhost outlives its Service", async () => {
    const cluster = getCluster();
    const endpoints = [{ address: cluster.lab.pod("p2a").address, nodeName: "n2" }];
    await cluster.write({ name: "brief", number: 2, nodePort: 30081, endpoints });
    for (const family of localhost) {
      const held = await host.hold({ address: LOOPBACK[family], port: 30081 });
      if (family === localhost.at(-1)) await cluster.remove("brief");
      await held.echo({ count: 3 });
      await held.close();
    }
  });

  test("row 29: nothing listens on the port, and loopback addresses are routed only where rules need that", async () => {
    const { lab } = getCluster();
    expect(await lab.exec(node, ["ss", "-Htuanp", `sport = ${NODE_PORT}`, "or", "dport", "=", `${NODE_PORT}`])).toBe(
      "",
    );
    const settings = await lab.exec(node, ["sh", "-c", "cat /proc/sys/net/ipv4/conf/*/route_localnet"]);
    expect(new Set(settings.trim().split("\n"))).toEqual(new Set(balancesSockets ? ["0"] : ["1", "0"]));
  });

  test.each(families)("row 29: a pod's localhost is its own (%s)", async (family) => {
    const { lab } = getCluster();
    const pod = await getCluster().socket(lab.pod("p1a"));
    const result = await pod.tcp({ address: LOOPBACK[family], port: NODE_PORT, count: 3 });
    expect(result.failures).toEqual({ ECONNREFUSED: 3 });
  });

  // Rules do not tell 127.0.0.1 from the node's other addresses, at which they serve outsiders as well.
  const refusing = families.filter(() => balancesSockets);
  test.each(refusing)("row 29: a packet from outside to a loopback address is not served (%s)", async (family) => {
    const { lab } = getCluster();
    const { client } = lab;
    const outside = await getCluster().wire(client);
    const localAddress = client.address[family];
    const ask = (address: string) => outside.tcp({ address, localAddress, port: NODE_PORT, count: 3, timeoutMs: 500 });
    // The client gives up its own loopback address and takes the node for a router to it.
    await lab.sysctl(client, "net/ipv4/conf/all/route_localnet=1");
    const prefix = family === "v4" ? "127.0.0.1/8" : "::1/128";
    await lab.ip(
      client,
      `addr del ${prefix} dev lo`,
      `route add ${LOOPBACK[family]} via ${node.address[family]} dev eth0`,
    );
    const before = { received: await received(node), connections: await connections(family) };
    expect((await ask(LOOPBACK[family])).failures).toEqual({ TIMEOUT: 3 });
    expect((await received(node)) - before.received).toBeGreaterThanOrEqual(3);
    expect(await connections(family)).toBe(before.connections);
    expect((await ask(node.address[family])).answered).toBe(3);
    expect(await connections(family)).toBe(before.connections + 3);
  });

  /** New connections that were given to an endpoint of the Service. */
  async function connections(family: keyof typeof LOOPBACK): Promise<number> {
    const listed = JSON.parse(await portolan(node, ["services", "--service", "test/web:tcp", "-o", "json"]));
    const wanted = family === "v4" ? "IPv4" : "IPv6";
    return listed.find((service: { family: string }) => service.family === wanted).connections;
  }

  /** Packets that came in by the node's uplink. */
  async function received(at: NodeHost): Promise<number> {
    const [link] = JSON.parse(await getCluster().lab.exec(at, ["ip", "-s", "-j", "link", "show", "dev", "eth0"]));
    return link.stats64.rx.packets;
  }
});
