// SPDX-License-Identifier: Apache-2.0
// Session affinity ClientIP with real sockets (behaviour rows 51, 52, 56): who comes again comes to the same endpoint,
// by packets, by balanced sockets, and by both; switched on and off at runtime; over a restart of the agent.

import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import type { AffinityRow } from "../../src/inspect/rows.ts";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

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

const cluster = useCluster({
  firewall: "realistic",
  services: (lab) => [
    sticky(lab, "web", 1),
    sticky(lab, "shared", 2),
    sticky(lab, "switched", 3),
    sticky(lab, "leaving", 4),
    sticky(lab, "restarted", 5),
    sticky(lab, "asked", 6),
    sticky(lab, "local", 7),
    sticky(lab, "late", 8),
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

async function listed<Row>(command: string): Promise<readonly Row[]> {
  return JSON.parse(await portolan(cluster().lab.node("n1"), [command, "-o", "json"]));
}

/** Writes the Service and waits until n1 serves it so. */
async function publish(spec: ServiceSpec): Promise<void> {
  writeService(cluster().manifests, spec);
  await until(`n1 serves ${spec.name} as written`, () => {
    using state = openState(cluster().lab.node("n1").bpffs);
    const ports = state.services().filter(({ name }) => name === spec.name);
    return ports.every(
      (port) =>
        port.affinitySeconds === (spec.affinitySeconds ?? 0) &&
        port.cluster.length === spec.endpoints.length &&
        port.externalLocal === (spec.externalTrafficPolicy === "Local"),
    );
  });
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  // First: no socket of b1a has talked to such a Service before.
  test("row 51: a pod whose packets came first has one endpoint after its first balanced socket", async () => {
    const [sockets, packets] = [await client("b1a", "socket"), await client("b1a", "wire")];
    const where = target(8, "clusterIP", family);
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
      expect(await answering(packets, protocol, target(2, "nodePort", family))).toEqual(chosen);
      expect(await answering(sockets, protocol, target(2, "loadBalancer", family))).toEqual(chosen);
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
    const spec = sticky(lab, "local", 7);
    await publish(spec);
    const elsewhere = { ...spec, endpoints: [endpoint(lab, "p2a")] };
    await publish(elsewhere);
    expect(await answering(agent, "tcp", target(7, "loadBalancer", family))).toEqual(["p2a"]);
    await publish({ ...spec, externalTrafficPolicy: "Local" });
    const here = await answering(agent, "tcp", target(7, "loadBalancer", family));
    expect(here).toHaveLength(1);
    expect(["p1b", "b1b"]).toContain(here[0]);
  });

  test("row 51: explain says whose endpoint it is, and leaves no trace; affinity lists it", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    const traces = () => {
      using state = openState(node.bpffs);
      return { memories: state.affinity(), services: state.services() };
    };
    const askers = [
      { name: "client", by: "wire", listed: lab.client.address[family], flags: [] },
      { name: "p1a", by: "socket", listed: lab.pod("p1a").address[family], flags: ["--socket"] },
      { name: "p1a", by: "wire", listed: lab.pod("p1a").address[family], flags: [] },
      { name: "n1", by: "socket", listed: "host", flags: [] },
    ] as const;
    const where = target(6, "clusterIP", family);
    const at = family === "v4" ? `${where.address}:80` : `[${where.address}]:80`;
    for (const asker of askers) {
      const source = hostOf(lab, asker.name).address[family];
      const [chosen = ""] = await answering(await client(asker.name, asker.by), "tcp", where, 2);
      const backend = lab.pod(chosen).address[family];
      const shown = family === "v4" ? `${backend}:8080` : `[${backend}]:8080`;
      const before = traces();
      const said: Answer = JSON.parse(
        await portolan(node, ["explain", source, `${at}/TCP`, "-o", "json", ...asker.flags]),
      );
      expect(said).toMatchObject({ verdict: "dnat", chosen: shown });
      expect(said.reason).toContain("of 3 endpoints the one this client has by session affinity");
      expect(traces()).toEqual(before);
      const rows = (await listed<AffinityRow>("affinity")).filter(
        (row) =>
          row.client === asker.listed &&
          row.service === "test/asked:tcp" &&
          row.endpoint.includes("[") === (family === "v6"),
      );
      expect(rows).toMatchObject([{ endpoint: shown, protocol: "TCP" }]);
    }
    const before = traces();
    const stranger = await portolan(node, [
      "explain",
      family === "v4" ? "192.0.2.77" : "2001:db8::77",
      at,
      "-o",
      "json",
    ]);
    expect(JSON.parse(stranger).reason).toContain("to be kept by session affinity for 10800 s");
    expect(traces()).toEqual(before);
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
