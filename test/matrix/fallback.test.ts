// SPDX-License-Identifier: Apache-2.0
// A node of this kernel, nobody having chosen a mode: it ends serving in the best that docs/kernels.md says it can, and says what
// spoke against each better one. Real sockets in pods, on the node and outside, in both families, connections and datagrams.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { ServiceRow } from "../../src/inspect/rows.ts";
import { spawnAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { GUEST_AGENT } from "../support/guest.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { endRush, expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";
import { readKernelRecord } from "./kernel-record.ts";

const SLOW_MS = GUEST_AGENT.timeoutMs;
const NODE_PORT = 30_080;
const STREAMS = 2;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });
const node = (): NodeHost => getLab().node("n1");
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const { modes } = readKernelRecord(process.env.PORTOLAN_KERNEL ?? "");
const best = modes.findIndex(({ usable }) => usable);
const reasons = modes.slice(0, best).map(({ mode, reason }) => `mode ${mode} cannot serve here: ${reason}`);
let manifests: string;
let program: string;
let agent: LabProcess;

function write(...pods: readonly string[]): void {
  const endpoints = pods.map((pod) => ({ address: getLab().pod(pod).address, nodeName: "n1" }));
  writeService(manifests, { name: "web", number: 10, nodePort: NODE_PORT, endpoints });
}

/** A command of the bundle, about the node. */
function portolan(...args: readonly string[]): Promise<string> {
  const places = ["--bpffs", node().bpffs, "--state-dir", node().stateDir];
  return getLab().exec(node(), [...GUEST_AGENT.command, ...args, ...places]);
}

/** How many each port of the Service has. */
async function endpoints(): Promise<readonly number[]> {
  const rows = JSON.parse(await portolan("services", "-o", "json")) as readonly ServiceRow[];
  return rows.map((row) => row.endpoints.total);
}

/** One target of each family, and as many of datagrams. */
function start(host: Host, { v4, v6 }: { v4: string; v6: string }, port: number): Promise<LabProcess> {
  const targets = [v4, v6, `udp:${v4}`, `udp:${v6}`].flatMap((address) => [address, String(port)]);
  const socketBalancing = host === node(); // mode ebpf serves the node's own processes at their sockets
  return startRush(getLab(), host, { program, rate: 2, streams: STREAMS, targets, socketBalancing });
}

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  program = compileProgram("rush", lab.plan.directory);
  await lab.exec(node(), ["mkdir", manifests]);
  for (const pod of ["p1b", "p1c"]) await serveRush(lab, lab.pod(pod), program);
  write("p1b", "p1c");
  agent = spawnAgent(lab, node(), manifests);
  await agent.waitForOutput(/ INFO ready/, SLOW_MS);
});

afterAll(async () => {
  await agent?.stop();
});

test("the best mode that is left serves, and the log and status say why", async () => {
  const mode = modes[best]?.mode;
  expect(agent.stderr).toContain(` starting, mode ${mode} `);
  for (const reason of reasons) expect(agent.stderr).toContain(reason);
  const status = JSON.parse(await portolan("status", "-o", "json")) as { mode: string; reasons: readonly string[] };
  expect(status).toMatchObject({ mode, synced: true, ...(reasons.length > 0 && { reasons }) });
  expect(await endpoints()).toEqual([2, 2, 2, 2]); // by family and protocol
  const asked = [getLab().pod("p1a").address.v4, "10.96.0.10:80/tcp"];
  expect(await portolan("explain", ...asked)).toContain(" is a ClusterIP of test/web:tcp\n");
});

describe("every address answers", () => {
  const { clusterIP } = serviceAddresses(10);
  test.each([
    { from: "p1a", to: "ClusterIP", at: () => clusterIP, port: 80 },
    { from: "p1b", to: "ClusterIP, its own Service", at: () => clusterIP, port: 80 },
    { from: "n1", to: "ClusterIP", at: () => clusterIP, port: 80 },
    { from: "p1a", to: "NodePort", at: () => node().address, port: NODE_PORT },
    { from: "n1", to: "NodePort", at: () => node().address, port: NODE_PORT },
    { from: "client", to: "NodePort", at: () => node().address, port: NODE_PORT },
  ])("$to, from $from", async ({ from, at, port }) => {
    const lab = getLab();
    const host = from === "client" ? lab.client : from === "n1" ? node() : lab.pod(from);
    const client = await start(host, at(), port);
    await pause(3000);
    await expectUnharmed(client, 2, STREAMS);
  });
});

test("an endpoint leaves while its connections go on, and a second agent finds all as it was", async () => {
  const lab = getLab();
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const held = await startRush(lab, lab.pod("p1a"), { program, rate: 0, streams: 4, targets: [v4, "80", v6, "80"] });
  write("p1c");
  await until("p1b has left", async () => (await endpoints()).every((total) => total === 1), SLOW_MS, 500);
  await agent.stop();
  agent = spawnAgent(lab, node(), manifests);
  const asking = await start(lab.client, node().address, NODE_PORT); // while no agent runs
  await agent.waitForOutput(/ INFO ready/, SLOW_MS);
  await expectUnharmed(asking, 2, STREAMS);
  await expectUnharmed(held, -1, 4);
});

test("cleanup leaves nothing, and nobody answers any more", async () => {
  await agent.stop();
  await portolan("cleanup");
  expect(await getLab().exec(node(), ["nft", "list", "ruleset"])).not.toMatch(/portolan/i);
  const { v4, v6 } = node().address;
  const targets = [v4, v6].flatMap((address) => [address, String(NODE_PORT)]);
  const refused = await startRush(getLab(), getLab().client, { program, rate: 2, streams: 0, targets });
  await pause(4000);
  const { asked, ...fate } = await endRush(refused);
  expect(fate).toMatchObject({ answered: 0, refused: asked, reset: 0, timedOut: 0 });
});
