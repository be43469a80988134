// SPDX-License-Identifier: Apache-2.0
// One node served by one proxy after the other, from the same objects of one API server, and what every cell of the table meets
// under each of them.
import type { Lab } from "../../../../src/demo/lab/lab.ts";
import { SERVICE_PREFIXES } from "../../../../src/demo/lab/plan.ts";
import type { Cluster } from "../../../support/cluster.ts";
import { compileProgram } from "../../../support/compile.ts";
import { get } from "../../../support/http.ts";
import { nodeObject, type ServiceSpec } from "../../../support/manifests.ts";
import { until } from "../../../support/until.ts";
import type { ControlPlane } from "../control-plane.ts";
import { ask, type Cell, type Outcome, tableOf } from "./cells.ts";
import type { Pass, ServiceProxy } from "./proxies.ts";
import { type Offer, objectsOf, offers, TARGET_PORTS, ZONE_LABEL, zoneOf } from "./services.ts";

export const NODES = [
  { name: "n1", routedPods: ["p1a", "p1b"], bridgedPods: ["b1a", "b1b"] },
  { name: "n2", routedPods: ["p2a", "p2b"] },
] as const;

/** Until a proxy has read and written everything. */
const START_MS = 60_000;

export type Answers = ReadonlyMap<Pass["name"], ReadonlyMap<string, Outcome>>;

export interface Asked {
  readonly answers: Answers;
  /** By the name of the proxy. */
  readonly health: ReadonlyMap<string, readonly string[]>;
}

export interface World {
  readonly cluster: Cluster;
  readonly plane: ControlPlane;
  readonly program: string;
  /** Created last: once it is served, so is the rest. */
  readonly last: ServiceSpec;
  readonly cells: readonly Cell[];
}

/** Makes what all proxies have in common. */
export async function prepare(cluster: Cluster, plane: ControlPlane, random: readonly Offer[]): Promise<World> {
  const { lab } = cluster;
  const program = compileProgram("cells", lab.plan.directory);
  await prepareNodes(lab);
  const hosts = [...lab.pods, lab.node("n1"), lab.node("n2"), lab.client];
  for (const host of hosts) {
    const server = lab.spawn(host, [program, "serve", host.name, ...TARGET_PORTS.map(String)]);
    await server.waitForOutput(/^ready$/m);
  }
  const offered = [...offers(lab), ...random];
  for (const { name } of NODES)
    await plane.api.patch(nodeObject(name, {}), { metadata: { labels: { [ZONE_LABEL]: zoneOf(name) } } });
  const { address, nodeName } = lab.pod("p1b");
  const last: ServiceSpec = { name: "last", number: 250, nodePort: 30_350, endpoints: [{ address, nodeName }] };
  for (const offer of [...offered, { spec: last }]) await createOffer(plane, offer);
  return { cluster, plane, program, last, cells: tableOf(offered) };
}

async function prepareNodes(lab: Lab): Promise<void> {
  const node = lab.node("n1");
  // Every refusal is told: the kernel would tell one in a second to each destination (row 32), rows are asked faster.
  await lab.sysctl(node, "net.ipv4.icmp_ratelimit=0", "net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratelimit=0");
  // What it sends back by the way it came would now and then be answered by a redirect.
  await lab.sysctl(node, "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0");
  for (const host of [node, lab.client, ...lab.pods]) await lab.sysctl(host, "net.ipv4.ping_group_range=0 2147483647");
  // As a CNI does for pods that reach themselves through a Service.
  for (const { hostDevice } of node.pods.filter(({ attachment }) => attachment === "bridged"))
    await lab.exec(node, ["bridge", "link", "set", "dev", hostDevice, "hairpin", "on"]);
  // Pods of the other node reach Services by way of this one.
  const routes = SERVICE_PREFIXES.map((to) => `route add ${to} via ${node.address[to.includes(":") ? "v6" : "v4"]}`);
  await lab.ip(lab.node("n2"), ...routes);
}

async function createOffer(plane: ControlPlane, offer: Offer): Promise<void> {
  for (const object of objectsOf(offer)) await plane.api.create(object);
  const [object] = objectsOf(offer);
  if (object?.status !== undefined) await plane.api.patch(object, { status: object.status }, "/status");
}

/** Asks every proxy for everything. */
export async function askAll(world: World, proxies: readonly ServiceProxy[]): Promise<Asked> {
  const answers = new Map<Pass["name"], ReadonlyMap<string, Outcome>>();
  const health = new Map<string, readonly string[]>();
  for (const proxy of proxies) {
    const running = await proxy.start(world.cluster, world.plane);
    try {
      await until(`${proxy.name} serves what was created last`, () => lastIsServed(world), START_MS, 200);
      for (const pass of proxy.passes) answers.set(pass.name, await askPass(world, pass));
      health.set(proxy.name, await askHealth(world));
    } finally {
      await proxy.stop(world.cluster.lab, running);
    }
  }
  return { answers, health };
}

/** What the ports of health checks answer the client outside (rows 66 and 67), in both families. */
async function askHealth({ cluster: { lab }, cells }: World): Promise<readonly string[]> {
  const specs = [...new Set(cells.map(({ spec }) => spec))].filter((spec) => spec.healthCheckNodePort !== undefined);
  const { address } = lab.node("n1");
  return await Promise.all(
    specs.flatMap(({ name, healthCheckNodePort = 0 }) =>
      [address.v4, address.v6].map(
        async (at) => `${name} at ${at}: ${await get(lab, lab.client, at, healthCheckNodePort, "/")}`,
      ),
    ),
  );
}

export function askPass({ cluster, program, cells }: World, pass: Pass): Promise<ReadonlyMap<string, Outcome>> {
  const asked = cells.filter(({ from }) => pass.askers.includes(from));
  return ask(cluster.lab, { program, cells: asked, socketBalancing: pass.socketBalancing });
}

async function lastIsServed({ cluster, program, last }: World): Promise<boolean> {
  const cells = (["v4", "v6"] as const).map(
    (family): Cell => ({ from: "client", spec: last, frontend: "nodePort", port: "first", way: "tcp", family }),
  );
  const met = await ask(cluster.lab, { program, cells, socketBalancing: false });
  return [...met.values()].every(([first = ""]) => first.startsWith("p1b sees "));
}
