// SPDX-License-Identifier: Apache-2.0
// The lab by itself, with no Portolan in it: its network carries plain traffic, and nothing of it stays.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab/lab.ts";

/** A zombie that init has not collected yet is dead. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

const families = ["v4", "v6"] as const;

describe("a lab of two nodes", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create({ firewall: "realistic" });
    for (const name of ["p2a", "b1a"]) await lab.serve(lab.pod(name));
    await lab.serve(lab.node("n1"), { tcp: [9000] });
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test.each(families)("a routed pod reaches a pod of the other node over TCP and UDP, %s", async (family) => {
    const agent = await lab.agentIn(lab.pod("p1a"));
    const target = { address: lab.pod("p2a").address[family], port: 8080, count: 20, concurrency: 4 };
    for (const result of [
      await agent.tcp(target),
      await agent.udp(target),
      await agent.tcp({ ...target, http: true }),
    ]) {
      expect(result).toMatchObject({ answered: 20, failed: 0, pods: { p2a: 20 } });
      expect(result.sources).toEqual({ [lab.pod("p1a").address[family]]: 20 });
    }
  });

  test.each(families)(
    "a bridged pod reaches its neighbour on the bridge and a pod behind the router, %s",
    async (family) => {
      const agent = await lab.agentIn(lab.pod("b1b"));
      for (const pod of ["b1a", "p2a"]) {
        const result = await agent.tcp({ address: lab.pod(pod).address[family], port: 8080, count: 5 });
        expect(result).toMatchObject({ answered: 5, pods: { [pod]: 5 } });
      }
    },
  );

  test.each(families)("the client reaches a node, and learns at once that nobody listens, %s", async (family) => {
    const agent = await lab.agentIn(lab.client);
    const address = lab.node("n1").address[family];
    expect(await agent.tcp({ address, port: 9000, count: 10 })).toMatchObject({ answered: 10, pods: { n1: 10 } });
    expect(await agent.tcp({ address, port: 9001, count: 3 })).toMatchObject({ failures: { ECONNREFUSED: 3 } });
  });

  test("a held connection echoes, and large transfers arrive whole in both directions", async () => {
    const agent = await lab.agentIn(lab.pod("p1a"));
    const target = { address: lab.pod("p2a").address.v6, port: 8080 };
    const held = await agent.hold({ ...target, localPort: 40123 });
    expect(held.answer).toMatchObject({ pod: "p2a", peerPort: 40123 });
    await held.echo({ count: 10 });
    await held.close();
    expect(await agent.download({ ...target, bytes: 5_000_000 })).toMatchObject({ bytes: 5_000_000 });
    expect(await agent.upload({ ...target, bytes: 5_000_000 })).toMatchObject({ bytes: 5_000_000 });
  });

  test("connected UDP reports its peer, and padded answers have the length asked for", async () => {
    const agent = await lab.agentIn(lab.pod("p1a"));
    const target = { address: lab.pod("p2a").address.v4, port: 8080, count: 1, connected: true };
    const { answers } = await agent.udp({ ...target, payload: "PAD 1200" });
    expect(answers[0]).toMatchObject({ peername: "10.9.2.10:8080", remote: "10.9.2.10:8080", received: 1200 });
  });

  test("traffic runs until it is stopped", async () => {
    const agent = await lab.agentIn(lab.pod("p1a"));
    const running = agent.startTcp({ address: lab.pod("p2a").address.v4, port: 8080, concurrency: 2 });
    await agent.tcp({ address: lab.pod("p2a").address.v4, port: 8080, count: 50 });
    const result = await running.stop();
    expect(result.answered).toBeGreaterThan(10);
    expect(result.failed).toBe(0);
  });

  test("a process is in its host's cgroup, or outside of its node's when socket balancing is off", async () => {
    const inside = lab.spawn(lab.pod("p1a"), ["cat", "/proc/self/cgroup"]);
    const outside = lab.spawn(lab.pod("p1a"), ["cat", "/proc/self/cgroup"], { socketBalancing: false });
    await Promise.all([inside.exited, outside.exited]);
    expect(inside.stdout).toContain(`0::/${lab.plan.id}/n1/pod-p1a`);
    expect(outside.stdout).toContain(`0::/${lab.plan.id}/outside`);
  });
});

test("a lab that is disposed leaves no namespace, cgroup, mount, file or process", async () => {
  const lab = await Lab.create({ nodes: [{ name: "n1", routedPods: ["p1a"] }] });
  const server = await lab.serve(lab.pod("p1a"));
  const child = lab.spawn(lab.pod("p1a"), ["sh", "-c", "sleep 1000 & echo child $!; wait"]);
  await child.waitForOutput(/child \d+/);
  const grandchild = child.stdout.match(/child (\d+)/)?.[1];
  await lab[Symbol.asyncDispose]();
  expect(readdirSync("/var/run/netns").filter((name) => name.startsWith(lab.plan.id))).toEqual([]);
  expect(existsSync(lab.plan.cgroup)).toBe(false);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(lab.plan.id);
  expect(existsSync(lab.plan.directory)).toBe(false);
  expect([server.pid, Number(grandchild)].filter(isAlive)).toEqual([]);
});

test("a lab that cannot be built is taken down and says which command failed", async () => {
  // A name of its own: other labs come and go meanwhile.
  const name = `n${process.pid}`;
  const broken = Lab.create({ nodes: [{ name }], clientRoutes: [{ to: "not-a-prefix", viaNode: name }] });
  await expect(broken).rejects.toThrow(/ip -batch -: exit 1[\s\S]*not-a-prefix/);
  expect(readdirSync("/var/run/netns").filter((netns) => netns.endsWith(`-${name}`))).toEqual([]);
});
