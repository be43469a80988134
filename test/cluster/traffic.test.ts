// SPDX-License-Identifier: Apache-2.0
// Services are created, changed and deleted through a real API server, and live traffic follows on two nodes, from pods,
// hosts and outside, by TCP and UDP, in both families: with Portolan, and likewise with the real kube-proxy.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { type ServiceSpec, serviceAddresses, serviceObjects } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { changeEndpoints, create, remove, useApiCluster } from "./support/api-cluster.ts";
import { startKubeProxy } from "./support/kube-proxy.ts";

const NODE_PORT = 30_080;
const families = ["v4", "v6"] as const;
/** Where connections come from, and whether sockets there are balanced. */
const INSIDE = [
  ["p1a", "socket"],
  ["p1a", "wire"],
  ["n1", "socket"],
  ["b2a", "socket"],
  ["b2a", "wire"],
  ["n2", "socket"],
] as const;

describe.each(["portolan", "kube-proxy"] as const)("%s", (proxy) => {
  const world = useApiCluster({
    nodes: [
      { name: "n1", routedPods: ["p1a", "p1b"] },
      { name: "n2", routedPods: ["p2a"], bridgedPods: ["b2a"] },
    ],
    ...(proxy === "kube-proxy" ? { agents: [] } : {}),
  });
  const kubeProxies: { stop(): Promise<unknown> }[] = [];
  beforeAll(async () => {
    const { cluster, plane } = world();
    for (const name of ["p1b", "p2a"]) await cluster.lab.serve(cluster.lab.pod(name));
    if (proxy === "portolan") return;
    const kubeconfig = plane.kubeconfig("system:kube-proxy");
    for (const name of ["n1", "n2"]) kubeProxies.push(startKubeProxy(cluster.lab, cluster.lab.node(name), kubeconfig));
  });
  afterAll(() => Promise.all(kubeProxies.map((started) => started.stop())));

  /** Who answers at the ClusterIP, whoever asks: names in order, "nobody" for a failure. */
  async function inside(port = 80): Promise<readonly string[]> {
    const { cluster } = world();
    const asked = INSIDE.flatMap(([name, by]) =>
      families.map(async (family) => {
        const client = await cluster[by](hostOf(cluster.lab, name));
        const target = {
          address: serviceAddresses(10).clusterIP[family],
          port,
          count: 4,
          timeoutMs: 1500,
          concurrency: 4,
        };
        return [await client.tcp(target), await client.udp(target)].flatMap(answered);
      }),
    );
    return [...new Set((await Promise.all(asked)).flat())].sort();
  }

  /** Who answers the client outside at that node's NodePort. */
  async function outside(node: string): Promise<readonly string[]> {
    const { cluster } = world();
    const client = await cluster.wire(cluster.lab.client);
    const asked = families.map(async (family) => {
      const address = cluster.lab.node(node).address[family];
      const target = { address, port: NODE_PORT, count: 4, timeoutMs: 1500, concurrency: 4 };
      return [await client.tcp(target), await client.udp(target)].flatMap(answered);
    });
    return [...new Set((await Promise.all(asked)).flat())].sort();
  }

  const soon = (ask: () => Promise<readonly string[]>) => expect.poll(ask, { timeout: 30_000, interval: 50 });
  const web = (lab: Lab, ...pods: readonly string[]): ServiceSpec => ({
    name: "web",
    number: 10,
    endpoints: pods.map((name) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName })),
  });
  const webObject = () => {
    const [service, slice] = serviceObjects(web(world().cluster.lab));
    if (service === undefined || slice === undefined) throw new Error("a Service has a slice of each family");
    return { service, slice };
  };

  test("a Service is created: its endpoint answers", async () => {
    const { cluster, plane } = world();
    await create(plane, web(cluster.lab, "p2a"));
    await soon(inside).toEqual(["p2a"]);
  });

  test("its slices name another endpoint: that one answers, and no other", async () => {
    const { cluster, plane } = world();
    await changeEndpoints(plane, web(cluster.lab, "p1b"));
    await soon(inside).toEqual(["p1b"]);
  });

  test("its slices name both: both answer", async () => {
    const { cluster, plane } = world();
    await changeEndpoints(plane, web(cluster.lab, "p1b", "p2a"));
    await soon(inside).toEqual(["p1b", "p2a"]);
    await changeEndpoints(plane, web(cluster.lab, "p2a"));
    await soon(inside).toEqual(["p2a"]);
  });

  test("it becomes a NodePort Service: every node answers the client outside", async () => {
    const { plane } = world();
    const ports = ["TCP", "UDP"].map((protocol) => ({
      name: protocol.toLowerCase(),
      protocol,
      port: 80,
      nodePort: NODE_PORT,
    }));
    await plane.api.patch(webObject().service, { spec: { type: "NodePort", ports } });
    await soon(() => outside("n1")).toEqual(["p2a"]);
    await soon(() => outside("n2")).toEqual(["p2a"]);
    await plane.api.patch(webObject().service, {
      spec: { type: "ClusterIP", ports: ports.map(({ nodePort: _, ...port }) => port) },
    });
    await soon(() => outside("n1")).toEqual(["nobody"]);
    await soon(() => outside("n2")).toEqual(["nobody"]);
  });

  test("its port changes: the new one answers, the old one does not", async () => {
    const { plane } = world();
    const ports = (port: number) =>
      ["TCP", "UDP"].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port }));
    await plane.api.patch(webObject().service, { spec: { ports: ports(81) } });
    await soon(() => inside(81)).toEqual(["p2a"]);
    await soon(inside).toEqual(["nobody"]);
    await plane.api.patch(webObject().service, { spec: { ports: ports(80) } });
    await soon(inside).toEqual(["p2a"]);
  });

  test("row 1: it becomes another proxy's, and comes back: to the watch it is deleted and created", async () => {
    const { plane } = world();
    const label = (value: string | null) => ({
      metadata: { labels: { "service.kubernetes.io/service-proxy-name": value } },
    });
    await plane.api.patch(webObject().service, label("other"));
    await soon(inside).toEqual(["nobody"]);
    await plane.api.patch(webObject().service, label(null));
    await soon(inside).toEqual(["p2a"]);
  });

  test("row 2: a slice becomes headless, and comes back", async () => {
    const { plane, cluster } = world();
    const label = (value: string | null) => ({ metadata: { labels: { "service.kubernetes.io/headless": value } } });
    const [, ...slices] = serviceObjects(web(cluster.lab));
    for (const slice of slices) await plane.api.patch(slice, label(""));
    await soon(inside).toEqual(["nobody"]);
    for (const slice of slices) await plane.api.patch(slice, label(null));
    await soon(inside).toEqual(["p2a"]);
  });

  test("it is deleted, and created again with another endpoint", async () => {
    const { cluster, plane } = world();
    await remove(plane, web(cluster.lab));
    await soon(inside).toEqual(["nobody"]);
    await create(plane, web(cluster.lab, "p1b"));
    await soon(inside).toEqual(["p1b"]);
  });
});

function answered({ pods, failed }: { readonly pods: Readonly<Record<string, number>>; readonly failed: number }) {
  return [...Object.keys(pods), ...(failed > 0 ? ["nobody"] : [])];
}
