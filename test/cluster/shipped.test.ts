// SPDX-License-Identifier: Apache-2.0
// What is shipped for Kubernetes, before a real API server with RBAC: it takes every object as it is, and an agent with
// exactly the shipped role, token and capabilities serves. With a verb less it says which.
import { beforeAll, expect, test } from "vitest";
import { portolan } from "../../src/demo/portolan.ts";
import { type KubeObject, type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { SERVING_CAPABILITIES, shippedObject, shippedObjects } from "../support/shipped.ts";
import { create, useApiCluster } from "./support/api-cluster.ts";
import { eventText, listEvents } from "./support/events.ts";
import { applyShipped, startPodAgent } from "./support/pod-agent.ts";

const world = useApiCluster({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }], agents: [] });
const families = ["v4", "v6"] as const;

beforeAll(async () => {
  const { cluster, plane } = world();
  // Into an empty cluster, each by itself.
  for (const object of shippedObjects()) await plane.api.dryRun(object);
  await applyShipped(plane);
  await cluster.lab.serve(cluster.lab.pod("p1b"));
  await create(plane, web("web", 10));
});

function web(name: string, number: number): ServiceSpec {
  const { address } = world().cluster.lab.pod("p1b");
  return { name, number, external: true, endpoints: [{ address, nodeName: "n1" }] };
}

/** The clusterrole with its rules changed. */
async function setRules(change: (rule: { resources: string[]; verbs: string[] }) => object): Promise<void> {
  const role = shippedObject("ClusterRole");
  await world().plane.api.patch(role, {
    rules: (role.rules as { resources: string[]; verbs: string[] }[]).map(change),
  });
}

/** How many of 80 connections, by both families from a pod and from outside, are answered. */
async function answered(number = 10): Promise<number> {
  const { cluster } = world();
  const { clusterIP, externalIP } = serviceAddresses(number);
  const pod = await cluster.socket(cluster.lab.pod("p1a"));
  const outside = await cluster.socket(cluster.lab.client);
  const asked = families.flatMap((family) => [
    pod.tcp({ address: clusterIP[family], port: 80, count: 20, concurrency: 20, timeoutMs: 1500 }),
    outside.tcp({ address: externalIP[family], port: 80, count: 20, concurrency: 20, timeoutMs: 1500 }),
  ]);
  return (await Promise.all(asked)).reduce((sum, result) => sum + result.answered, 0);
}

test("the API server would run the DaemonSet's pod", async () => {
  const { template } = shippedObject("DaemonSet").spec as { template: { metadata: object; spec: object } };
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...template.metadata, name: "portolan-x", namespace: "kube-system" },
    spec: { ...template.spec, nodeName: "n1" },
  };
  const { spec } = await world().plane.api.dryRun(pod);
  expect(spec).toMatchObject({ priority: 2_000_001_000, serviceAccountName: "portolan", hostNetwork: true });
});

test("the shipped role, token and capabilities are enough to serve, and to write Events", async () => {
  const { cluster, plane } = world();
  const agent = await startPodAgent(cluster.lab, cluster.lab.node("n1"), plane);
  expect(await answered()).toBe(80);
  await expect
    .poll(async () => (await listEvents(plane, "default")).map(eventText), { timeout: 20_000 })
    .toContainEqual(expect.stringMatching(/^Node n1 Normal Starting: /));
  expect(agent.stderr).not.toMatch(/ ERROR |API server|403|forbidden/);
  expect(await portolan(cluster.lab.node("n1"), ["status"])).not.toContain("\nLacks");
  await agent.stop();
});

test("so are the role and the three capabilities that serving takes", async () => {
  const { cluster, plane } = world();
  const agent = await startPodAgent(cluster.lab, cluster.lab.node("n1"), plane, SERVING_CAPABILITIES);
  expect(await answered()).toBe(80);
  expect(agent.stderr).not.toMatch(/ ERROR |API server|403|forbidden/);
  expect(await portolan(cluster.lab.node("n1"), ["status"])).toMatch(/\nLacks: +CAP_SYS_ADMIN CAP_SYS_PTRACE /);
  await agent.stop();
});

test("a verb taken away is named, what was served goes on; given back, it is used", async () => {
  const { cluster, plane } = world();
  await setRules((rule) => (rule.resources.includes("endpointslices") ? { ...rule, verbs: ["list"] } : rule));
  const agent = await startPodAgent(cluster.lab, cluster.lab.node("n1"), plane);
  await agent.waitForOutput(/ERROR API server, endpointslices: /, 60_000);
  expect(agent.stderr).toMatch(
    /endpointslices: forbidden \(403, .*User "system:serviceaccount:kube-system:portolan" cannot watch resource "endpointslices".*\): RBAC must allow verb watch on endpointslices of API group "discovery.k8s.io"/,
  );
  expect(await answered()).toBe(80);
  await create(plane, web("later", 11));
  expect(await answered(11)).toBe(0);
  await setRules((rule) => rule);
  await expect.poll(() => answered(11), { timeout: 60_000 }).toBe(80);
  await agent.stop();
});

test("without Pods, Namespaces and Events it says so once, and serves", async () => {
  const { cluster, plane } = world();
  const optional = ["pods", "events"];
  await setRules((rule) =>
    rule.resources.some((name) => optional.includes(name)) ? { ...rule, verbs: ["get"] } : rule,
  );
  const agent = await startPodAgent(cluster.lab, cluster.lab.node("n1"), plane);
  for (const name of ["pods", "namespaces", "events"]) {
    await agent.waitForOutput(new RegExp(`WARN API server, ${name}: .*RBAC must allow verb \\w+ on ${name} `), 30_000);
  }
  expect(await answered()).toBe(80);
  expect(agent.stderr).not.toContain(" ERROR ");
  await agent.stop();
});
