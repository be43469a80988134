// SPDX-License-Identifier: Apache-2.0
// An agent of another layout takes over, and the first one again, while connections begin and go on: none of them notices.
// On the wire: that is whose flows lie otherwise.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { buildOtherLayout } from "../support/other-layout.ts";

const NODE_PORT = 30_080;
const STREAMS = 10;

const world = useCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
  services: (lab) => [
    {
      name: "web",
      number: 10,
      protocols: ["TCP"],
      nodePort: NODE_PORT,
      endpoints: ["p1b", "p2a"].map((name) => {
        const { address, nodeName } = lab.pod(name);
        return { address, nodeName };
      }),
    },
  ],
});

const processes: LabProcess[] = [];
let clients: readonly LabProcess[] = [];
let other: readonly string[];

beforeAll(async () => {
  other = [process.execPath, buildOtherLayout().bundle];
  const { lab } = world();
  const program = compileProgram("rush", lab.plan.directory);
  const servers = ["p1b", "p2a"].map((name) => lab.spawn(lab.pod(name), [program, "serve", "8080"]));
  processes.push(...servers);
  await Promise.all(servers.map((server) => server.waitForOutput(/^ready$/m)));
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const node = lab.node("n1").address;
  const ask = (host: Parameters<typeof lab.spawn>[0], ...targets: readonly string[]) =>
    lab.spawn(host, [program, "ask", "500", String(STREAMS), ...targets], { socketBalancing: false });
  clients = [
    ask(lab.pod("p1a"), v4, "80", v6, "80"),
    ask(lab.client, node.v4, String(NODE_PORT), node.v6, String(NODE_PORT)),
  ];
  processes.push(...clients);
  await Promise.all(clients.map((client) => client.waitForOutput(/^ready$/m)));
});

test("another layout takes over, and the first one again: no connection is lost", async () => {
  const cluster = world();
  await cluster.agents.get("n1")?.stop();
  const newer = await cluster.startAgent("n1", [], other);
  console.log(newer.stdout, newer.stderr);
  await newer.stop();
  const older = await cluster.startAgent("n1");
  console.log(older.stdout, older.stderr);
  for (const client of clients) {
    client.write("enough\n");
    await client.exited;
    console.log(client.stdout);
    const { asked, beats, ms, ...fate } = JSON.parse(client.stdout.replace(/^ready$/m, ""));
    expect(fate).toEqual({ answered: asked, refused: 0, reset: 0, timedOut: 0, other: 0, streamsLost: 0 });
    expect(beats).toBeGreaterThan(2 * STREAMS);
    expect(asked).toBeGreaterThan(1000);
  }
}, 60_000);

afterAll(() => Promise.all(processes.map((one) => one.stop())));
