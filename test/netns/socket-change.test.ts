// SPDX-License-Identifier: Apache-2.0
// Balanced sockets under change: endpoints that come and go and an agent that is killed and comes back, with traffic
// under way that makes each connection once.

import { beforeAll, describe, expect, test } from "vitest";
import type { RunningTraffic } from "../../src/demo/lab/traffic.ts";
import { type Cluster, useCluster } from "../support/cluster.ts";
import { removeService, type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const NUMBER = 21;
const { clusterIP } = serviceAddresses(NUMBER);
const families = ["v4", "v6"] as const;
const PODS = ["p1b", "b1a", "p2a"] as const;

const cluster = useCluster({
  services: (lab) => [web(lab, PODS)],
});

beforeAll(async () => {
  for (const name of PODS) await cluster().lab.serve(cluster().lab.pod(name));
});

function web(lab: Cluster["lab"], names: readonly string[]): ServiceSpec {
  const endpoints = names.map((name) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName }));
  return { name: "web", number: NUMBER, endpoints };
}

/** TCP and UDP from a pod and from a node, both families, until stopped. */
async function traffic(): Promise<readonly RunningTraffic[]> {
  const pod = await cluster().socket(cluster().lab.pod("p1a"));
  const node = await cluster().socket(cluster().lab.node("n2"));
  return families.flatMap((family) => {
    const target = { address: clusterIP[family], port: 80, concurrency: 2, gapMs: 2 };
    return [pod.startTcp(target), pod.startUdp(target), node.startTcp(target), node.startUdp(target)];
  });
}

async function expectUnharmed(running: readonly RunningTraffic[]): Promise<void> {
  for (const result of await Promise.all(running.map((one) => one.stop()))) {
    expect(result).toMatchObject({ failed: 0, failures: {} });
    expect(result.answered).toBeGreaterThan(10);
  }
}

/** The servers that twenty new connections and twenty new datagram sockets of a pod reach. */
async function reached(family: (typeof families)[number]): Promise<readonly string[]> {
  const pod = await cluster().socket(cluster().lab.pod("p1a"));
  const target = { address: clusterIP[family], port: 80, count: 40 };
  const results = [await pod.tcp(target), await pod.udp(target)];
  for (const result of results) expect(result).toMatchObject({ answered: 40, failed: 0 });
  return [...new Set(results.flatMap(({ pods }) => Object.keys(pods)))].sort();
}

/** Writes the Service and waits until sockets of the pod reach these servers and no others. */
async function serveBy(names: readonly string[]): Promise<void> {
  writeService(cluster().manifests, web(cluster().lab, names));
  const wanted = [...names].sort().join();
  for (const family of families) await until(`${wanted} serve`, async () => (await reached(family)).join() === wanted);
}

describe("under traffic", () => {
  test("endpoints leave and return without one failed request, and held connections go on", async () => {
    const { lab } = cluster();
    const pod = await cluster().socket(lab.pod("p1a"));
    const held = await Promise.all(families.map((family) => pod.hold({ address: clusterIP[family], port: 80 })));
    const running = await traffic();
    for (const names of [["p2a"], PODS, ["b1a", "p1b"], ["p1b"], PODS]) {
      await serveBy(names);
    }
    await expectUnharmed(running);
    for (const connection of held) await connection.echo({ count: 5 });
  });

  test("an agent is killed and another takes over without one failed request, and held connections go on", async () => {
    const { lab } = cluster();
    const pod = await cluster().socket(lab.pod("p1a"));
    const held = await Promise.all(families.map((family) => pod.hold({ address: clusterIP[family], port: 80 })));
    const running = await traffic();
    await cluster().agents.get("n1")?.stop("SIGKILL");
    for (const family of families) expect(await reached(family)).toEqual([...PODS].sort());
    await cluster().startAgent("n1");
    await serveBy(["p2a"]);
    await expectUnharmed(running);
    for (const connection of held) await connection.echo({ count: 5 });
  });

  test("a Service that is removed and written again serves as before", async () => {
    const pod = await cluster().socket(cluster().lab.pod("p1a"));
    removeService(cluster().manifests, "web");
    const target = { address: clusterIP.v4, port: 80, count: 1, timeoutMs: 500 };
    await until("nobody serves", async () => (await pod.tcp(target)).failed === 1);
    await serveBy(PODS);
  });
});
