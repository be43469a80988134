// SPDX-License-Identifier: Apache-2.0
// An agent of another layout takes over, and ours again, where programs hang on filters for want of TCX links, and where
// the verifier of an older kernel has to take the movers.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { buildOtherLayout } from "../support/other-layout.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";

const AGENT_MS = 480_000; // an emulated processor verifies twice as much as for a restart
const NODE_PORT = 30_080;
const STREAMS = 2;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });

test("rows 14, 50: another layout takes over, and the first one again: no connection is lost", async () => {
  const lab = getLab();
  const [node, server] = [lab.node("n1"), lab.pod("p1b")];
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const endpoints = [{ address: server.address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: 10, protocols: ["TCP"], nodePort: NODE_PORT, endpoints });
  const serve = async (bundle: string) => {
    const places = ["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir];
    const told = ["--manifests", manifests, "--node-name", "n1", "--devices", "eth0"];
    const agent = lab.spawn(node, [process.execPath, bundle, "agent", ...told, ...places]);
    await agent.waitForOutput(/INFO ready$/m, AGENT_MS);
    await agent.stop();
    return agent.stderr;
  };
  const program = compileProgram("rush", lab.plan.directory);
  await serveRush(lab, server, program);
  await serve("dist/portolan.js");

  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const inside = [v4, "80", v6, "80"];
  const outside = [node.address.v4, String(NODE_PORT), node.address.v6, String(NODE_PORT)];
  const rush = { program, rate: 20, streams: STREAMS };
  const clients = await Promise.all([
    startRush(lab, lab.pod("p1a"), { ...rush, targets: inside }),
    startRush(lab, lab.client, { ...rush, targets: outside }),
  ]);

  expect(await serve(buildOtherLayout().bundle)).toMatch(/INFO took over from another layout, flows and all from=v1/);
  expect(await serve("dist/portolan.js")).toMatch(/INFO took over from another layout, flows and all from=v2/);
  for (const client of clients) await expectUnharmed(client, 100, STREAMS);
}, 1_000_000);
