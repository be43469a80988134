// SPDX-License-Identifier: Apache-2.0
// One mode follows another on a node under load: 1000 connections a second and 204 long streams, of a pod by its packets and by its
// sockets and of a client outside, in both families. None fails, and what the modes before have left goes.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { expectUnharmed } from "../support/rush.ts";
import { startThreeClients, THREE_CLIENTS_PLAN, writeAsked } from "../support/three-clients.ts";
import { until } from "../support/until.ts";

const CROWD = { rate: 1000, streams: 34 };
/** Every mode from every other; ebpf first, whose streams are the hardest to pass on. */
const MODES = ["ebpf", "nftables", "iptables", "ebpf", "iptables", "nftables", "ebpf"] as const;

const getLab = useLab(THREE_CLIENTS_PLAN);

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
  writeAsked(lab, manifests);
  const begin = (mode: string) => readyAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--mode", mode] });
  let agent = await begin("ebpf");
  const clients = await startThreeClients(lab, CROWD);
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
  for (const client of clients) await expectUnharmed(client, 1000, CROWD.streams);
  await agent.stop();
}, 240_000);
