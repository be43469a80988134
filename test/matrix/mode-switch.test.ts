// SPDX-License-Identifier: Apache-2.0
// Mode ipvs follows every other mode and is followed by it, under load: what one has begun goes on through the next, none that
// begins fails, and IPVS is empty once its last connection has ended. test/netns/mode-switch.test.ts has the modes without it.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { spawnAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { expectUnharmed } from "../support/rush.ts";
import { startThreeClients, THREE_CLIENTS_PLAN, writeAsked } from "../support/three-clients.ts";
import { until } from "../support/until.ts";

const SLOW_MS = 400_000; // an emulated processor
const CROWD = { rate: 10, streams: 4 };
const MODES = ["ebpf", "ipvs", "nftables", "ipvs", "iptables", "ipvs", "ebpf"] as const;

const getLab = useLab(THREE_CLIENTS_PLAN);

test("no connection notices, and nothing of IPVS stays", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  writeAsked(lab, manifests);
  const command = [process.execPath, "dist/portolan.js"]; // from the source it would take minutes
  const begin = async (mode: string): Promise<LabProcess> => {
    const agent = spawnAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--mode", mode], command });
    await agent.waitForOutput(/ INFO ready/, SLOW_MS);
    return agent;
  };
  let agent = await begin(MODES[0]);
  const clients = await startThreeClients(lab, CROWD);
  for (const mode of MODES.slice(1)) {
    await agent.stop();
    agent = await begin(mode);
  }
  for (const client of clients) await expectUnharmed(client, 50, CROWD.streams);
  const servers = () => lab.exec(node, ["ipvsadm", "-Sn"]);
  await until("IPVS is empty", async () => (await servers()).trim() === "", SLOW_MS, 1000);
  expect(await lab.exec(node, ["ip", "-o", "link"])).not.toContain("kube-ipvs0");
  await agent.stop();
}, 1_000_000);
