// SPDX-License-Identifier: Apache-2.0
// What the DaemonSet has its optional rights for: from within its container the agent closes a socket in a pod that is connected
// to an endpoint which is no more.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { machine, unpackImage } from "./support/images.ts";
import { configureNode, shippedGrant, startAgent } from "./support/node-container.ts";

const PROGRAM = fileURLToPath(new URL("../support/programs/udp-wait.mjs", import.meta.url));
const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });

test("a pod's connected UDP socket leaves an endpoint that is no more", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  const manifests = configureNode(lab, node);
  for (const name of ["p1b", "p1c"]) await lab.serve(lab.pod(name));
  const on = (pod: string): ServiceSpec => ({
    name: "wait",
    number: 1,
    endpoints: [{ address: lab.pod(pod).address, nodeName: "n1" }],
  });
  writeService(manifests, on("p1b"));
  const { agent } = await startAgent(lab, node, unpackImage(machine(), lab.plan.directory), shippedGrant());
  const waiting = lab.spawn(lab.pod("p1a"), ["node", PROGRAM, serviceAddresses(1).clusterIP.v6, "80"]);
  await waiting.waitForOutput(/^answered p1b$/m);
  writeService(manifests, on("p1c"));
  await waiting.waitForOutput(/^answered p1b\nerror ECONNABORTED\nanswered p1c\n$/);
  expect(agent.process.stderr).not.toMatch(/ ERROR /);
  await agent.stop();
});
