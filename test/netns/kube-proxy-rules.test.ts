// SPDX-License-Identifier: Apache-2.0
// An agent on a node with a kube-proxy's rules, planted as kube-proxy leaves them: refused, taken away when told so, and nothing
// else; `doctor` says so before; and a node is not handed back to a kube-proxy that is not there.
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import { readyAgent, spawnAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, writeService } from "../support/manifests.ts";

/** One of each kind in nat and filter, and beside them the kubelet's and others' that are to stay. */
const THEIRS = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-AAAAAAAAAAAAAAAA -m comment --comment "test/other:http" -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-BBBBBBBBBBBBBBBB -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
`;
const OTHERS = `*nat
:KUBE-KUBELET-CANARY - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m mark --mark 0x7 -j MASQUERADE
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
`;
const NFT = ["ip", "ip6"].map(
  (family) =>
    `table ${family} kube-proxy {\n chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; }\n}\n`,
);
const COMMANDS = ["iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"];
const PLACES =
  "mode iptables: iptables-nft, iptables-legacy, ip6tables-nft, ip6tables-legacy; mode nftables: nftables table ip kube-proxy, nftables table ip6 kube-proxy";

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
const node = (): NodeHost => getLab().node("n1");
let manifests: string;
let agent: LabProcess | undefined;
/** What is there before and beside a kube-proxy. */
let others: string;

const restore = async (rules: string): Promise<void> => {
  for (const command of COMMANDS) {
    await getLab().exec(node(), ["sh", "-c", `${command}-restore --noflush <<'E'\n${rules}E`]);
  }
};
const plant = async (): Promise<void> => {
  await restore(THEIRS);
  await getLab().exec(node(), ["nft", NFT.join("")]);
};
/** All rules of the node but Portolan's, without counters and comments of the time. */
const listed = async (): Promise<string> => {
  const lists = await Promise.all(COMMANDS.map((command) => getLab().exec(node(), [`${command}-save`])));
  const tables = await getLab().exec(node(), ["nft", "list", "tables"]);
  const lines = [...lists, tables].join("\n").split("\n");
  return lines
    .filter((line) => !line.startsWith("#") && !line.includes("PORTOLAN"))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ""))
    .join("\n");
};
const refusal = async (...flags: readonly string[]): Promise<string> => {
  const refused = spawnAgent(getLab(), node(), manifests, { flags: ["--devices", "eth0", ...flags] });
  expect(await refused.exited).toMatchObject({ code: 3 });
  return refused.stderr;
};

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  const web: ServiceSpec = { name: "web", number: 10, endpoints };
  writeService(manifests, web);
  await lab.serve(lab.pod("p1b"));
  await restore(OTHERS);
  others = await listed();
});

afterAll(async () => {
  await agent?.stop();
});

test("before an agent's first start doctor says who is there, and the agent refuses and changes nothing", async () => {
  await plant();
  const before = await listed();
  expect(before).not.toBe(others);
  await expect(portolan(node(), ["doctor"])).rejects.toThrow(
    /exit 3\n[\s\S]*error +service-proxies +a kube-proxy's rules are at work on this node \(mode iptables: .*nothing listens on its ports/,
  );
  expect(await refusal()).toContain(`a kube-proxy's rules are at work on this node (${PLACES}; it may be gone`);
  expect(await listed()).toBe(before);
  expect(readdirSync(join(node().bpffs, "portolan"))).toEqual([]);
});

test("with --take-over they go once ours serve, of both variants and families, and no other rule", async () => {
  agent = await readyAgent(getLab(), node(), manifests, { flags: ["--devices", "eth0", "--take-over"] });
  await agent.waitForOutput(
    /INFO took over from kube-proxy: .* chains=36 nftTables=\["ip kube-proxy","ip6 kube-proxy"\]/,
  );
  expect(await listed()).toBe(others);
  const client = await getLab().agentIn(getLab().pod("p1a"));
  expect(await client.tcp({ address: "10.96.0.10", port: 80, count: 5 })).toMatchObject({ answered: 5 });
});

test("an agent that serves is not given up for a kube-proxy that somebody starts: it says what it sees", async () => {
  await agent?.stop();
  await plant();
  agent = await readyAgent(getLab(), node(), manifests);
  await agent.waitForOutput(/WARN a kube-proxy's rules are at work beside ours, which come first \(mode iptables/);
  expect(await portolan(node(), ["doctor"])).toMatch(/warning +service-proxies +a kube-proxy's rules/);
  expect(await listed()).toContain("KUBE-SVC-AAAAAAAAAAAAAAAA");
});

test("a node is not handed back while a kube-proxy does not serve what we do, and goes on being served", async () => {
  await agent?.stop();
  const asked = getLab().spawn(node(), portolanLine(node(), ["cleanup", "--hand-back", "--wait", "1s"]));
  expect(await asked.exited).toMatchObject({ code: 3 });
  expect(asked.stderr).toMatch(
    /no rules of a kube-proxy serve 4 of 4 ClusterIPs and ports on this node, such as \S+ 80\/TCP of Service test\/web .*: start kube-proxy.*nothing was changed/,
  );
  const client = await getLab().agentIn(getLab().pod("p1a"));
  expect(await client.tcp({ address: "10.96.0.10", port: 80, count: 5 })).toMatchObject({ answered: 5 });
  expect(await portolan(node(), ["cleanup"])).toMatch(/^removed .* and 2 chains of netfilter$/m);
});
