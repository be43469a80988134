// SPDX-License-Identifier: Apache-2.0
// Nodes that each lack something that mode ebpf needs, and agents that nobody told a mode: each serves Services by the best
// that is left, connections of both families, and says why, in its log and in status.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { SERVING_CAPABILITIES } from "../support/shipped.ts";

const WEB = 10;
const NODE_PORT = 30_080;
const families = ["v4", "v6"] as const;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
const clients: { readonly host: Host; readonly agent: TrafficAgent; readonly nodePort: boolean }[] = [];
let manifests: string;

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: WEB, nodePort: NODE_PORT, endpoints });
  await lab.serve(lab.pod("p1b"));
  for (const host of [lab.pod("p1a"), lab.node("n1"), lab.client]) {
    clients.push({ host, agent: await lab.agentIn(host), nodePort: host === lab.client });
  }
});
afterEach(async () => void (await portolan(getLab().node("n1"), ["cleanup"])));

interface LackingNode {
  /** Shell lines in a mount namespace of the agent's own, which take something away. $BPFFS is the node's. */
  readonly without?: readonly string[];
  /** Capabilities of the agent; default: those that serving takes. */
  readonly capabilities?: readonly string[];
}

const NO_BTF = "mount -t tmpfs none /sys/kernel/btf";
const NO_CGROUP2 = "umount -a -t cgroup2";
const NO_BPFFS = 'umount "$BPFFS"';
const notInstalled = (command: string) => `! at=$(command -v ${command}) || mount --bind /dev/null "$at"`;

/** Its flags are the least that there can be; a cgroup root is named where the node has one. */
async function readyAgent({ without = [], capabilities = SERVING_CAPABILITIES }: LackingNode): Promise<LabProcess> {
  const node = getLab().node("n1");
  const root = without.includes(NO_CGROUP2) ? [] : ["--cgroup-root", node.cgroupRoot];
  const told = ["--manifests", manifests, "--node-name", "n1", "--devices", "eth0", ...root];
  const granted = capabilities.map((name) => `,+${name.toLowerCase()}`).join("");
  const bounded = ["setpriv", "--inh-caps=-all", `--bounding-set=-all${granted}`];
  const shell = ["sh", "-c", ["set -e", ...without, 'exec "$@"'].join("\n"), "sh"];
  const agent = getLab().spawn(
    node,
    ["unshare", "--mount", "--propagation", "private", ...shell, ...bounded, ...portolanLine(node, ["agent", ...told])],
    { environment: { BPFFS: node.bpffs } },
  );
  await agent.waitForOutput(/ INFO ready$/m, 30_000);
  return agent;
}

/** Connections and datagrams of a pod and of the node to the ClusterIP, and of a client outside to the NodePort. */
async function expectServed(): Promise<void> {
  const { clusterIP } = serviceAddresses(WEB);
  for (const { host, agent, nodePort } of clients) {
    for (const family of families) {
      const address = nodePort ? getLab().node("n1").address[family] : clusterIP[family];
      const target = { address, port: nodePort ? NODE_PORT : 80, count: 10 };
      const said = `${host.name} to ${address}`;
      expect.soft(await agent.tcp(target), `TCP, ${said}`).toMatchObject({ answered: 10, pods: { p1b: 10 } });
      expect.soft(await agent.udp(target), `UDP, ${said}`).toMatchObject({ answered: 10, pods: { p1b: 10 } });
    }
  }
}

test("a node that lacks nothing is served by programs", async () => {
  const agent = await readyAgent({});
  expect(await portolan(getLab().node("n1"), ["status"])).toMatch(/^Mode: +ebpf\nWhy: +the best of all, /);
  await expectServed();
  await agent.stop();
});

test.each<LackingNode & { readonly lacks: string; readonly reason: RegExp }>([
  {
    lacks: "BTF",
    without: [NO_BTF],
    reason:
      /^\/sys\/kernel\/btf\/vmlinux is missing: mount sysfs on \/sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y$/,
  },
  {
    lacks: "CAP_BPF",
    capabilities: SERVING_CAPABILITIES.filter((name) => name !== "BPF"),
    reason: /^this process lacks CAP_BPF: run it as root or grant these capabilities$/,
  },
  {
    lacks: "cgroup2",
    without: [NO_CGROUP2],
    reason:
      /^cgroup2 is not mounted: mkdir -p \S+ && mount -t cgroup2 cgroup2 \S+; where it is, name it with --cgroup-root$/,
  },
  {
    lacks: "a bpf file system",
    without: [NO_BPFFS],
    reason: /^no bpf file system is mounted at (\S+): mount -t bpf bpf \1$/,
  },
])("a node without $lacks is served by rules of nftables, and says why", async ({ reason, ...lacking }) => {
  const node = getLab().node("n1");
  const agent = await readyAgent(lacking);
  const why = / INFO mode ebpf cannot serve here: (.*)\n/.exec(agent.stderr)?.[1] ?? "";
  expect(why).toMatch(reason);
  expect(await portolan(node, ["status"])).toContain(
    `Mode:       nftables\nWhy:        mode ebpf cannot serve here: ${why}\n`,
  );
  expect(JSON.parse(await portolan(node, ["status", "-o", "json"]))).toMatchObject({
    mode: "nftables",
    reasons: [`mode ebpf cannot serve here: ${why}`],
    synced: true,
    agent: { running: true },
  });
  await expectServed();
  await agent.stop();
  await expectServed(); // what serves goes on
});

test("a node without all of it, nft and IPVS is served by iptables, and says why of each mode", async () => {
  const node = getLab().node("n1");
  const agent = await readyAgent({
    without: [NO_BTF, NO_CGROUP2, NO_BPFFS, ...["nft", "ipvsadm"].map(notInstalled)],
    capabilities: ["NET_ADMIN"],
  });
  const { mode, reasons } = JSON.parse(await portolan(node, ["status", "-o", "json"]));
  expect(mode).toBe("iptables");
  expect(reasons).toEqual([
    expect.stringMatching(
      /^mode ebpf cannot serve here: this process lacks CAP_BPF, CAP_PERFMON: .*; \/sys\/kernel\/btf\/vmlinux is missing: .*; no bpf file system is mounted at .*; cgroup2 is not mounted: /,
    ),
    "mode nftables cannot serve here: nft is not installed: install the package nftables (1.0.1 or newer)",
    expect.stringMatching(/^mode ipvs cannot serve here: .*ipvsadm is not installed: install the package ipvsadm/),
  ]);
  for (const reason of reasons) expect(agent.stderr).toContain(` INFO ${reason}\n`);
  await expectServed();
  await agent.stop();
  await expectServed();
});
