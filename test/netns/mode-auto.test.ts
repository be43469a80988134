// SPDX-License-Identifier: Apache-2.0
// --mode auto on a node that lacks something for mode ebpf: it is served by rules, and says why. Once the node has it, SIGHUP makes
// the agent ask again, and the better mode follows while connections go on.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../src/demo/lab/run.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { readyAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";

const STREAMS = 4;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });

test("a node without a bpf file system is served by rules, and by programs once it has one and SIGHUP says so", async () => {
  const lab = getLab();
  const bpffs = join(lab.plan.directory, "late-bpffs");
  const node = { ...lab.node("n1"), bpffs };
  const manifests = join(lab.plan.directory, "manifests");
  for (const directory of [bpffs, manifests]) mkdirSync(directory);
  const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: 10, protocols: ["TCP"], endpoints });
  const agent = await readyAgent(lab, node, manifests);
  const lack = `mode ebpf cannot serve here: no bpf file system is mounted at ${bpffs}: mount -t bpf bpf ${bpffs}`;
  expect(agent.stderr).toContain(lack);
  expect(await portolan(node, ["status"])).toContain(`Mode:       nftables\nWhy:        ${lack}\n`);

  const program = compileProgram("rush", lab.plan.directory);
  await serveRush(lab, lab.pod("p1b"), program);
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const client = await startRush(lab, lab.pod("p1a"), {
    program,
    rate: 100,
    streams: STREAMS,
    targets: [v4, "80", v6, "80"],
  });
  process.kill(agent.pid, "SIGHUP");
  await agent.waitForOutput(/INFO asked again: the mode stays mode=nftables/);
  await run(["mount", "-t", "bpf", "bpf", bpffs]);
  try {
    process.kill(agent.pid, "SIGHUP");
    await agent.waitForOutput(/INFO asked again: the mode changes mode=ebpf[\s\S]*INFO ready$/m);
    await agent.waitForOutput(/INFO what another mode left is gone mode=nftables/);
    expect(await portolan(node, ["status"])).toMatch(/^Mode: +ebpf\n/);
    expect(await lab.exec(node, ["nft", "list", "tables"])).not.toContain("portolan");
    await expectUnharmed(client, 100, STREAMS);
    await agent.stop();
  } finally {
    await run(["umount", bpffs]);
  }
}, 120_000);
