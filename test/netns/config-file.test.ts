// SPDX-License-Identifier: Apache-2.0
// An agent started with kube-proxy's own configuration file: what it says has its effect, what a flag says beats it, and
// what it says in vain is in the log.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { readyAgent, spawnAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";

const lab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
const WEB = { number: 1, nodePort: 30211 };
/** The pods of the lab are outside this range. */
const CONFIG = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: 10.77.0.0/16,fd00:77::/32
detectLocalMode: ClusterCIDR
iptables:
  localhostNodePorts: false
  masqueradebit: 14
hostnameOverride: N1
showHiddenMetricsForVersion: "1.36"
`;

let manifests = "";
let config = "";
let agent: LabProcess | undefined;

beforeAll(async () => {
  manifests = join(lab().plan.directory, "manifests");
  config = join(lab().plan.directory, "config.conf");
  mkdirSync(manifests);
  writeFileSync(config, CONFIG);
  const { address, nodeName } = lab().pod("p1b");
  writeService(manifests, { name: "web", ...WEB, endpoints: [{ address, nodeName }] });
  await lab().serve(lab().pod("p1b"));
});

async function restart(...flags: readonly string[]): Promise<string> {
  await agent?.stop();
  agent = await readyAgent(lab(), lab().node("n1"), manifests, {
    flags: ["--devices", "eth0", "--config", config, ...flags],
  });
  return agent.stderr;
}

/** Who sees whom behind the cluster IP, and how each loopback address of n1 answers at the NodePort. */
async function seen() {
  const node = lab().node("n1");
  const pod = await lab().agentIn(lab().pod("p1a"), { socketBalancing: false });
  const host = await lab().agentIn(node);
  const { clusterIP } = serviceAddresses(WEB.number);
  const sources: string[] = [];
  for (const address of [clusterIP.v4, clusterIP.v6]) {
    sources.push(...Object.keys((await pod.tcp({ address, port: 80, count: 2 })).sources));
  }
  const answers: Record<string, string> = {};
  for (const address of ["127.0.0.1", "::1", "0.0.0.0", "::", node.address.v4, node.address.v6]) {
    const { pods, failures } = await host.tcp({ address, port: WEB.nodePort, count: 1 });
    answers[address] = Object.keys({ ...pods, ...failures }).join();
  }
  await Promise.all([pod.end(), host.end()]);
  return { sources, answers };
}

test("rows 29 and 38: a KubeProxyConfiguration has its effect, and says what it has not", async () => {
  const stderr = await restart();
  expect(stderr).toContain(`${config}:8: iptables.masqueradebit: unknown field, left out`);
  expect(stderr).toContain(`${config}:3: mode: "iptables" does not choose the driver: --mode does`);
  expect(stderr).toContain(`${config}: has no effect: showHiddenMetricsForVersion`);
  expect(stderr).toContain("ClusterCIDR: local pods are 10.77.0.0/16,fd00:77::/32");
  const { v4, v6 } = lab().node("n1").address;
  expect(await seen()).toEqual({
    sources: [v4, v6],
    answers: {
      "127.0.0.1": "ECONNREFUSED",
      "::1": "ECONNREFUSED",
      "0.0.0.0": "ECONNREFUSED",
      "::": "ECONNREFUSED",
      [v4]: "p1b",
      [v6]: "p1b",
    },
  });
  const status = JSON.parse(await portolan(lab().node("n1"), ["status", "-o", "json"]));
  expect(status).toMatchObject({ mode: "ebpf", node: "n1", detectLocalMode: "ClusterCIDR" });
});

test("rows 29 and 38: flags beat the file", async () => {
  await restart("--localhost-nodeports", "--cluster-cidr", "10.9.0.0/16,fd00:9::/32");
  const { v4, v6 } = lab().pod("p1a").address;
  const node = lab().node("n1").address;
  expect(await seen()).toEqual({
    sources: [v4, v6],
    answers: {
      "127.0.0.1": "p1b",
      "::1": "p1b",
      "0.0.0.0": "p1b",
      "::": "p1b",
      [node.v4]: "p1b",
      [node.v6]: "p1b",
    },
  });
});

test("a file that kube-proxy would refuse ends the agent with 2, by line and field", async () => {
  const wrong = join(lab().plan.directory, "wrong.conf");
  writeFileSync(wrong, CONFIG.replace("10.77.0.0/16,fd00:77::/32", "10.77.0.0/33"));
  const refused = spawnAgent(lab(), lab().node("n1"), manifests, { flags: ["--config", wrong] });
  expect(await refused.exited).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain(`${wrong}:4: clusterCIDR: "10.77.0.0/33" is no CIDR`);
});
