// SPDX-License-Identifier: Apache-2.0
// Row 77 for hooks: somebody takes our programs off a device and off the node's cgroups; within five seconds they are back, and
// what asked meanwhile asks again and is served.

import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openPinnedLink } from "../../src/libbpf/index.ts";
import { pinnedLinks } from "../support/agent.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  services: (lab) => [{ name: "web", number: 10, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
});

beforeAll(async () => {
  await cluster().lab.serve(cluster().lab.pod("p1b"));
});

function takeOff(isOne: (name: string) => boolean): number {
  const node = cluster().lab.node("n1");
  const names = pinnedLinks(node).filter(isOne);
  for (const name of names) {
    using link = openPinnedLink(join(node.bpffs, "portolan/links", name));
    link.detach();
  }
  return names.length;
}

test.each([
  ["wire", "of devices", (name: string) => name.startsWith("tcx-")],
  ["socket", "of cgroups", (name: string) => name.startsWith("cgroup-")],
] as const)("row 77: %s clients are served again after links %s were detached", async (by, _whose, isOne) => {
  const client = await cluster()[by](cluster().lab.pod("p1a"));
  const target = { address: serviceAddresses(10).clusterIP.v4, port: 80, count: 2, timeoutMs: 300 };
  expect((await client.tcp(target)).answered).toBe(2);
  const agent = cluster().agents.get("n1");
  expect(takeOff(isOne)).toBeGreaterThan(1);
  await until("the client is served again", async () => (await client.tcp(target)).answered === 2, 5000);
  expect(agent?.stderr).toMatch(/ WARN somebody has taken hooks of ours off, they are back hooks=/);
});
