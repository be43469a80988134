// SPDX-License-Identifier: Apache-2.0
// Session affinity ClientIP with real sockets (behaviour rows 51, 52, 56): who comes again comes to the same endpoint,
// by packets, by balanced sockets, and by both; switched on and off at runtime; over a restart of the agent.

import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";
import { driverUnderTest, useDriver } from "./driver.ts";

const PODS = ["p1b", "b1b", "p2a"];
/** As many as the conformance tests of Kubernetes ask for: three endpoints without affinity agree once in 3^14 runs. */
const HITS = 15;

const endpoint = (lab: Lab, name: string) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName });

function sticky(lab: Lab, name: string, number: number, more: Partial<ServiceSpec> = {}): ServiceSpec {
  const endpoints = PODS.map((pod) => endpoint(lab, pod));
  return { name, number, nodePort: 30_200 + number, external: true, affinitySeconds: 10_800, endpoints, ...more };
}

type Protocol = "tcp" | "udp";
type Frontend = "clusterIP" | "nodePort" | "externalIP" | "loadBalancer";

const cluster = useDriver({
  firewall: "realistic",
  services: (lab) => [
    sticky(lab, "web", 1),
    sticky(lab, "shared", 2),
    sticky(lab, "switched", 3),
    sticky(lab, "leaving", 4),
    sticky(lab, "restarted", 5),
    sticky(lab, "local", 6),
    sticky(lab, "late", 7),
  ],
});

beforeAll(async () => {
  await Promise.all(PODS.map((name) => cluster().lab.serve(cluster().lab.pod(name))));
});

function client(from: string, by: "wire" | "socket"): Promise<TrafficAgent> {
  return cluster()[by](hostOf(cluster().lab, from));
}

/** Where the Service with this number is met on n1. */
function target(number: number, frontend: Frontend, family: keyof DualAddress): { address: string; port: number } {
  if (frontend !== "nodePort") return { address: serviceAddresses(number)[frontend][family], port: 80 };
  return { address: cluster().lab.node("n1").address[family], port: 30_200 + number };
}

/** Names of those who answered count requests, each by a connection or a socket of its own. */
async function answering(
  agent: TrafficAgent,
  protocol: Protocol,
  where: { address: string; port: number },
  count = HITS,
): Promise<readonly string[]> {
  const { pods, failures } = await agent[protocol]({ ...where, count });
  expect(failures).toEqual({});
  return Object.keys(pods);
}

/** Writes the Service and waits until n1 serves it so. */
async function publish(spec: ServiceSpec): Promise<void> {
  writeService(cluster().manifests, spec);
  await until(`n1 serves ${spec.name} as written`, async () => {
    const listed = await driverUnderTest().services(cluster().lab.node("n1"));
    const ports = listed.filter(({ service }) => service.startsWith(`test/${spec.name}:`));
    return ports.every(
      (port) =>
        port.affinitySeconds === (spec.affinitySeconds ?? null) &&
        port.endpoints.total === spec.endpoints.length &&
        port.externalTrafficPolicy === (spec.externalTrafficPolicy ?? "Cluster"),
    );
  });
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  // First: no socket of b1a has talked to such a Service before.
  test("row 51: a pod whose packets came first has one endpoint after its first balanced socket", async () => {
    const [sockets, packets] = [await client("b1a", "socket"), await client("b1a", "wire")];
    const where = target(7, "clusterIP", family);
    expect(await answering(packets, "tcp", where)).toHaveLength(1);
    const chosen = await answering(sockets, "tcp", where);
    expect(chosen).toHaveLength(1);
    expect(await answering(packets, "tcp", where)).toEqual(chosen);
  });

  test.each([
    { from: "client", by: "wire", frontend: "nodePort" },
    { from: "client", by: "wire", frontend: "loadBalancer" },
    { from: "p1a", by: "wire", frontend: "clusterIP" },
    { from: "b1a", by: "wire", frontend: "nodePort" },
    { from: "p1a", by: "socket", frontend: "clusterIP" },
    { from: "b1a", by: "socket", frontend: "nodePort" },
    { from: "n1", by: "socket", frontend: "clusterIP" },
    { from: "n1", by: "socket", frontend: "externalIP" },
  ] as const)("row 51: $from by $by comes to one endpoint of $frontend, whatever it asks", async (asked) => {
    const agent = await client(asked.from, asked.by);
    for (const protocol of ["tcp", "udp"] as const) {
      expect(await answering(agent, protocol, target(1, asked.frontend, family))).toHaveLength(1);
    }
  });

  test.each(["p1a", "b1a"])("row 51: %s comes to one endpoint by its sockets and by its packets", async (from) => {
    for (const protocol of ["tcp", "udp"] as const) {
      const [sockets, packets] = [await client(from, "socket"), await client(from, "wire")];
      const chosen = await answering(sockets, protocol, target(2, "clusterIP", family));
      expect(chosen).toHaveLength(1);
      expect(await answering(packets, protocol, target(2, "clusterIP", family))).toEqual(chosen);
      const elsewhere = [
        await answering(packets, protocol, target(2, "nodePort", family)),
        await answering(sockets, protocol, target(2, "loadBalancer", family)),
      ];
      if (driverUnderTest().affinityBy === "service") expect(elsewhere).toEqual([chosen, chosen]);
      else expect(elsewhere.map((pods) => pods.length)).toEqual([1, 1]);
    }
  });

  test.each(["wire", "socket"] as const)("row 51: affinity is switched off and on for %s", async (by) => {
    const spec = sticky(cluster().lab, "switched", 3);
    const agent = await client("p1a", by);
    const where = target(3, "clusterIP", family);
    expect(await answering(agent, "tcp", where)).toHaveLength(1);
    const { affinitySeconds: _, ...off } = spec;
    await publish(off);
    expect(await answering(agent, "tcp", where, 60)).toHaveLength(3);
    await publish(spec);
    expect(await answering(agent, "tcp", where)).toHaveLength(1);
    expect(await answering(agent, "udp", where)).toHaveLength(1);
  });

  test("row 56: an endpoint that leaves is left, and the new one kept when it comes back", async () => {
    const whole = sticky(cluster().lab, "leaving", 4);
    const askers = [await client("client", "wire"), await client("p1a", "wire"), await client("n1", "socket")];
    const ask = (agent: TrafficAgent) => answering(agent, "tcp", target(4, "clusterIP", family));
    for (const agent of askers) {
      const [chosen = ""] = await ask(agent);
      await publish({
        ...whole,
        endpoints: PODS.filter((pod) => pod !== chosen).map((pod) => endpoint(cluster().lab, pod)),
      });
      const after = await ask(agent);
      expect(after).toHaveLength(1);
      expect(after).not.toEqual([chosen]);
      await publish(whole);
      expect(await ask(agent)).toEqual(after);
    }
  });

  test("row 56: policy Local offers a client outside this node's endpoints only", async () => {
    const { lab } = cluster();
    const agent = await client("client", "wire");
    const spec = sticky(lab, "local", 6);
    await publish(spec);
    const elsewhere = { ...spec, endpoints: [endpoint(lab, "p2a")] };
    await publish(elsewhere);
    expect(await answering(agent, "tcp", target(6, "loadBalancer", family))).toEqual(["p2a"]);
    await publish({ ...spec, externalTrafficPolicy: "Local" });
    const here = await answering(agent, "tcp", target(6, "loadBalancer", family));
    expect(here).toHaveLength(1);
    expect(["p1b", "b1b"]).toContain(here[0]);
  });

  test("row 51: a client keeps its endpoint over kill -9 and the next agent", async () => {
    const asked = [
      { agent: await client("client", "wire"), frontend: "nodePort" },
      { agent: await client("p1a", "socket"), frontend: "clusterIP" },
      { agent: await client("b1a", "wire"), frontend: "clusterIP" },
      { agent: await client("n1", "socket"), frontend: "clusterIP" },
    ] as const;
    const chosen = () =>
      Promise.all(asked.map(({ agent, frontend }) => answering(agent, "udp", target(5, frontend, family))));
    const before = await chosen();
    expect(before.map((names) => names.length)).toEqual([1, 1, 1, 1]);
    await cluster().killAgent("n1");
    expect(await chosen()).toEqual(before);
    await cluster().startAgent("n1");
    expect(await chosen()).toEqual(before);
  });
});
