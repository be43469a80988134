// SPDX-License-Identifier: Apache-2.0
// One mode follows another on a node under load: 1000 connections a second and 204 long streams, of a pod by its packets and by its
// sockets and of a client outside, in both families. None fails, and what the modes before have left goes.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { readyAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";

const NUMBER = 10;
const NODE_PORT = 30_080;
/** Of each client, to each of two families. */
const STREAMS = 34;
/** Every mode from every other; ebpf first, whose streams are the hardest to pass on. */
const MODES = ["ebpf", "nftables", "iptables", "ebpf", "iptables", "nftables", "ebpf"] as const;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });

async function startClients(lab: Lab): Promise<readonly LabProcess[]> {
  const program = compileProgram("rush", lab.plan.directory);
  await serveRush(lab, lab.pod("p1b"), program);
  const { v4, v6 } = serviceAddresses(NUMBER).clusterIP;
  const node = lab.node("n1").address;
  const inside = { program, streams: STREAMS, targets: [v4, "80", v6, "80"] };
  const outside = { ...inside, targets: [node.v4, String(NODE_PORT), node.v6, String(NODE_PORT)] };
  return await Promise.all([
    startRush(lab, lab.pod("p1a"), { ...inside, rate: 400 }),
    startRush(lab, lab.pod("p1a"), { ...inside, rate: 300, socketBalancing: true }),
    startRush(lab, lab.client, { ...outside, rate: 300 }),
  ]);
}

/** What serves, or did, on the node. */
async function traces(lab: Lab): Promise<Readonly<Record<string, boolean>>> {
  const node = lab.node("n1");
  const [tables, chains] = await Promise.all([
    lab.exec(node, ["nft", "list", "tables"]),
    lab.exec(node, ["iptables-nft", "-w", "5", "-t", "nat", "-S"]),
  ]);
  return { nftables: /^table inet portolan$/m.test(tables), iptables: /^-N KUBE-SERVICES$/m.test(chains) };
}

test("one mode follows another, and no connection notices", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: NUMBER, protocols: ["TCP"], nodePort: NODE_PORT, endpoints });
  const begin = (mode: string) => readyAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--mode", mode] });
  let agent = await begin("ebpf");
  const clients = await startClients(lab);
  for (const mode of MODES.slice(1)) {
    await agent.stop();
    agent = await begin(mode);
    const others = { nftables: mode === "nftables", iptables: mode === "iptables" };
    let met = {};
    await until(`only mode ${mode} has rules`, async () => {
      met = await traces(lab);
      return JSON.stringify(met) === JSON.stringify(others);
    }).catch((error: unknown) => {
      throw new Error(`it met ${JSON.stringify(met)}; ${agent.stderr}`, { cause: error });
    });
  }
  for (const client of clients) await expectUnharmed(client, 1000, STREAMS);
  await agent.stop();
}, 240_000);
