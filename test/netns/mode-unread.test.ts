// SPDX-License-Identifier: Apache-2.0
// An agent of another mode that cannot read what is to be served: what serves goes on until it can.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { portolanLine } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { writeDeadKubeconfig } from "../support/dead-api.ts";
import { serviceAddresses } from "../support/manifests.ts";

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  services: (lab) => [{ name: "web", number: 1, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
  agents: [],
});

beforeAll(async () => {
  await cluster().lab.serve(cluster().lab.pod("p1b"));
});

test.each([
  ["nftables", "ebpf"],
  ["ebpf", "nftables"],
])("mode %s serves until mode %s has read what to serve", async (before, after) => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const client = await cluster().wire(lab.pod("p1a"));
  const answered = async (): Promise<number> =>
    (await client.tcp({ address: serviceAddresses(1).clusterIP.v4, port: 80, count: 5, timeoutMs: 1000 })).answered;
  await (await cluster().startAgent("n1", ["--mode", before])).stop();
  rmSync(join(node.stateDir, "checkpoint"), { force: true });
  expect(await answered()).toBe(5);
  const flags = ["--kubeconfig", writeDeadKubeconfig(lab), "--node-name", "n1", "--devices", "eth0", "--mode", after];
  const blind = lab.spawn(node, [...portolanLine(node, ["agent", ...flags]), "--cgroup-root", node.cgroupRoot]);
  await blind.waitForOutput(/WARN API server, events: /, 60_000); // it has waited for a first word, and goes on
  expect(blind.stderr).not.toMatch(/INFO ready$/m);
  expect(await answered()).toBe(5);
  await blind.stop();
  expect(await answered()).toBe(5);
  await (await cluster().startAgent("n1", ["--mode", after])).stop();
  expect(await answered()).toBe(5);
});
