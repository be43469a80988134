// SPDX-License-Identifier: Apache-2.0
// What an agent and its API server go through while 2000 new connections a second and long streams pass: none of them
// notices. By sockets and on the wire, from outside through NodePorts, in both families.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { compileProgram } from "../support/compile.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { buildOtherLayout } from "../support/other-layout.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { changeEndpoints, create, useApiCluster } from "./support/api-cluster.ts";

const NODE_PORT = 30_080;
/** Of each of the three clients: 2000 together, half of each in each family. */
const RATE = [1000, 500, 500] as const;
const STREAMS = 20;

const world = useApiCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
});

let program: string;
const servers: LabProcess[] = [];
let clients: readonly LabProcess[] = [];

const spec = (...pods: readonly string[]): ServiceSpec => ({
  name: "web",
  number: 10,
  protocols: ["TCP"],
  nodePort: NODE_PORT,
  endpoints: pods.map((name) => {
    const { address, nodeName } = world().cluster.lab.pod(name);
    return { address, nodeName };
  }),
});

beforeAll(async () => {
  const { cluster, plane } = world();
  const { lab } = cluster;
  program = compileProgram("rush", lab.plan.directory);
  servers.push(...(await Promise.all(["p1b", "p2a"].map((name) => serveRush(lab, lab.pod(name), program)))));
  await create(plane, spec("p1b", "p2a"));
  await cluster.served("web", 2);
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const inside = [v4, "80", v6, "80"];
  const node = lab.node("n1").address;
  const start = (host: Host, rate: number, targets: readonly string[], socketBalancing: boolean) =>
    startRush(lab, host, { program, rate, streams: STREAMS, targets, socketBalancing });
  clients = await Promise.all([
    start(lab.pod("p1a"), RATE[0], inside, true),
    start(lab.pod("p1a"), RATE[1], inside, false),
    start(lab.client, RATE[2], [node.v4, String(NODE_PORT), node.v6, String(NODE_PORT)], false),
  ]);
});

test("rows 14, 50: kill -9, restarts, another layout and back, an API server that is gone and comes back, endpoints that go and come: nothing fails", async () => {
  const { cluster, plane } = world();
  const otherLayout = { command: [process.execPath, buildOtherLayout().bundle] };
  await cluster.killAgent("n1");
  await cluster.startAgent("n1");
  await cluster.agents.get("n1")?.stop();
  const upgraded = await cluster.startAgent("n1", [], otherLayout);
  expect(upgraded.stderr).toMatch(/INFO took over from another layout, flows and all from=v1 records=\d{4,}/);
  await upgraded.stop();
  const downgraded = await cluster.startAgent("n1");
  expect(downgraded.stderr).toMatch(/INFO took over from another layout, flows and all from=v2 records=\d{4,}/);
  await downgraded.stop();
  await plane.killApiServer();
  const agent = await cluster.startAgent("n1");
  expect(agent.stderr).toMatch(/ERROR API server, services: .* cannot be reached: connect ECONNREFUSED/);
  await plane.startApiServer();
  await changeEndpoints(plane, spec("p1b"));
  await cluster.served("web", 1, 30_000);
  await changeEndpoints(plane, spec("p1b", "p2a"));
  await cluster.served("web", 2);

  await Promise.all(clients.map((client) => expectUnharmed(client, 2000, STREAMS)));
}, 120_000);

afterAll(() => Promise.all([...clients, ...servers].map((one) => one.stop())));
