// SPDX-License-Identifier: Apache-2.0
// The chart's DaemonSet on two real kubelets (kubelet, containerd, runc): rolled out, updated to another image node by node, and a
// server's pod deleted, while connections are begun from a pod through the ClusterIP and from outside through both nodes'
// NodePorts, in both families. None fails. Prints what it measures.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { render } from "../chart/support/helm.ts";
import { compileProgram } from "../support/compile.ts";
import { type KubeObject, serviceAddresses } from "../support/manifests.ts";
import { endRush, expectUnharmed, startRush } from "../support/rush.ts";
import { NODE_CGROUPS } from "./support/containerd.ts";
import { exportPortolan, type PortolanImages } from "./support/images.ts";
import { containerId, isReady, type Pod, RealCluster } from "./support/real-cluster.ts";
import { client, NODE_PORT, servers, WEB, web } from "./support/workload.ts";

const RATE = 400;
const STREAMS = 10;
const begun = Date.now();

let cluster: RealCluster;
let images: PortolanImages;

beforeAll(async () => {
  cluster = await RealCluster.create((directory) => {
    images = exportPortolan(directory);
    return images.archives;
  });
  print("control plane and two kubelets are ready");
  const { api } = cluster.plane;
  for (const object of [web(), servers(), client("n1")]) await api.create(object);
  for (const object of chart(images.tags[0])) await api.create(object);
  await cluster.until("each node has an agent that is ready", () => agentsRun(images.tags[0]));
  print("the DaemonSet is rolled out");
  await cluster.until(
    "the pods are ready",
    async () => (await ready("web")).length === 2 && (await ready("client")).length === 1,
  );
  await cluster.until("both nodes serve", everybodyServed);
  print("pods on both nodes are reached through ClusterIP and NodePorts");
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

test("a rolling update of the agent: no connection fails, and none of long standing ends", async () => {
  const { api } = cluster.plane;
  const before = await agents();
  print(`idle: ${(await Promise.all(before.map(memory))).join("; ")}`);
  const clients = await startClients("update", STREAMS);
  const updated = Date.now();
  for (const object of chart(images.tags[1]))
    if (object.kind === "DaemonSet") await api.patch(object, { spec: object.spec });
  let fewest = before.length;
  await cluster.until("the update is through", async () => {
    fewest = Math.min(fewest, (await agents()).filter(isReady).length);
    return agentsRun(images.tags[1]);
  });
  print(`rolling update of two nodes, one at a time: ${Date.now() - updated} ms`);
  expect(fewest).toBe(1);
  await pause(2000);
  const after = await agents();
  expect(after.map(({ status }) => status.containerStatuses?.[0]?.restartCount)).toEqual([0, 0]);
  expect(
    after.map(({ metadata }) => metadata.name).filter((name) => before.some((pod) => pod.metadata.name === name)),
  ).toEqual([]);
  await Promise.all(clients.map((one) => expectUnharmed(one, RATE, STREAMS)));
});

test("a server's pod is deleted and another takes its place: no connection fails", async () => {
  const clients = await startClients("delete", 0);
  const [victim] = await ready("web");
  if (victim === undefined) throw new Error("no server is ready");
  const deleted = Date.now();
  await cluster.plane.api.delete(victim);
  await cluster.until("another server is ready, and this one gone", async () => {
    const pods = await cluster.pods("test", "app", "web");
    return (
      pods.length === 2 && pods.every(isReady) && pods.every(({ metadata }) => metadata.name !== victim.metadata.name)
    );
  });
  print(`a server's pod deleted, gone and replaced: ${Date.now() - deleted} ms`);
  await pause(2000);
  await Promise.all(clients.map((one) => expectUnharmed(one, RATE, 0)));
});

/** What the chart makes of this image, for all nodes. */
function chart(tag: string): readonly KubeObject[] {
  return render({
    apiServers: [cluster.plane.url],
    image: { repository: images.repository, tag, pullPolicy: "Never" },
    cgroup: NODE_CGROUPS,
  });
}

function agents(): Promise<readonly Pod[]> {
  return cluster.pods("kube-system", "app.kubernetes.io/name", "portolan");
}

/** On both nodes, and no other. */
async function agentsRun(tag: string): Promise<boolean> {
  const pods = await agents();
  return (
    pods.length === 2 &&
    pods.every((pod) => isReady(pod) && pod.status.containerStatuses?.[0]?.image.endsWith(`:${tag}`))
  );
}

async function ready(app: string): Promise<readonly Pod[]> {
  return (await cluster.pods("test", "app", app)).filter(isReady);
}

/** Addresses of both nodes with the NodePort. */
function nodePorts(): readonly string[] {
  return cluster.nodes.flatMap(({ host }) =>
    [host.address.v4, host.address.v6].flatMap((ip) => [ip, String(NODE_PORT)]),
  );
}

/** Through each NodePort. */
async function everybodyServed(): Promise<boolean> {
  const outside = await askOutside(0);
  await pause(500);
  const { asked, answered } = await endRush(outside);
  return asked > 0 && answered === asked;
}

function askOutside(streams: number): Promise<LabProcess> {
  const { lab } = cluster;
  const program = compileProgram("rush", lab.plan.directory);
  return startRush(lab, lab.client, { program, rate: RATE, streams, targets: nodePorts() });
}

/** One in a pod of n1, to the ClusterIP; one outside, to both nodes' NodePorts. */
async function startClients(name: string, streams: number): Promise<readonly LabProcess[]> {
  const [pod] = await ready("client");
  if (pod === undefined) throw new Error("the client's pod is not ready");
  const { v4, v6 } = serviceAddresses(WEB.number).clusterIP;
  const asks = ["/rush", "ask", String(RATE), String(streams), v4, "80", v6, "80"];
  const inside = cluster.node(pod.spec.nodeName).runtime.spawnIn(containerId(pod), `rush-${name}`, asks);
  await inside.waitForOutput(/^ready$/m);
  return [inside, await askOutside(streams)];
}

/** Of the agent's container: resident, of that the process's own; and what kubelet counts of its cgroup. */
async function memory(pod: Pod): Promise<string> {
  const pid = await cluster.node(pod.spec.nodeName).runtime.pid(containerId(pod));
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]);
  return `${pod.spec.nodeName}: ${Math.round(kib("VmRSS") / 1024)} MiB resident, ${Math.round(kib("RssAnon") / 1024)} MiB its own`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function print(line: string): void {
  process.stdout.write(`${((Date.now() - begun) / 1000).toFixed(1)} s: ${line}\n`);
}
