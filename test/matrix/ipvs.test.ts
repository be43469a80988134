// SPDX-License-Identifier: Apache-2.0
// Mode ipvs with the kernel's IPVS, which Debian's kernels have: real sockets in pods, on the node and outside, in both families.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { spawnAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { get } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { endRush, expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";

const SLOW_MS = 400_000; // an emulated processor
const NODE_PORT = 30_080;
const HEALTH_PORT = 30_900;
const STREAMS = 2;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });
const node = (): NodeHost => getLab().node("n1");
const onNode = (...argv: readonly string[]): Promise<string> => getLab().exec(node(), argv);
/** What `portolan diff` prints. */
const diff = async (): Promise<string> => {
  const places = ["--bpffs", node().bpffs, "--state-dir", node().stateDir];
  const line = [process.execPath, "dist/portolan.js", "diff", ...places];
  return await onNode("sh", "-c", '"$@" || [ $? = 1 ]', "sh", ...line);
};
const servers = (): Promise<string> => onNode("ipvsadm", "-Sn");
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
let manifests: string;
let program: string;
let agent: LabProcess | undefined;

function web(lab: Lab, pods: readonly string[], more: Partial<ServiceSpec> = {}): ServiceSpec {
  const endpoints = pods.map((pod) => {
    const { address, nodeName } = lab.pod(pod);
    return { address, nodeName };
  });
  return { name: "web", number: 10, nodePort: NODE_PORT, external: true, endpoints, ...more };
}

async function startAgent(...more: readonly string[]): Promise<LabProcess> {
  const pods = ["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.9.0.0/16,fd00:9::/32"];
  const flags = ["--mode", "ipvs", ...pods, ...more];
  const started = spawnAgent(getLab(), node(), manifests, { flags });
  await started.waitForOutput(/ INFO ready/, SLOW_MS);
  return started;
}

/** Whether the node says to its neighbours that it has the VIP. */
async function answersArp(vip: string): Promise<boolean> {
  const ask = `ip neigh flush to ${vip} dev eth0; ping -c 1 -W 2 ${vip} >/dev/null; ip neigh show ${vip} dev eth0`;
  return (await getLab().exec(getLab().client, ["sh", "-c", ask])).includes(" lladdr ");
}

/** One target of each family, and as many of datagrams. */
function start(host: Host, [v4, v6]: readonly [string, string], port: number): Promise<LabProcess> {
  const targets = [v4, v6, `udp:${v4}`, `udp:${v6}`].flatMap((address) => [address, String(port)]);
  return startRush(getLab(), host, { program, rate: 2, streams: STREAMS, targets });
}

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  program = compileProgram("rush", lab.plan.directory);
  await onNode("mkdir", manifests);
  for (const pod of ["p1b", "p1c"]) await serveRush(lab, lab.pod(pod), program);
  writeService(manifests, web(lab, ["p1b", "p1c"]));
  agent = await startAgent();
});

afterAll(async () => {
  await agent?.stop();
});

describe("rows 24 to 27: every address answers", () => {
  const { clusterIP, externalIP, loadBalancer } = serviceAddresses(10);
  test.each([
    { from: "p1a", to: "ClusterIP", at: () => clusterIP, port: 80 },
    { from: "p1b", to: "ClusterIP, its own Service (row 39)", at: () => clusterIP, port: 80 },
    { from: "n1", to: "ClusterIP", at: () => clusterIP, port: 80 },
    { from: "p1a", to: "NodePort", at: () => node().address, port: NODE_PORT },
    { from: "client", to: "NodePort", at: () => node().address, port: NODE_PORT },
    { from: "client", to: "externalIP", at: () => externalIP, port: 80 },
    { from: "client", to: "LoadBalancer address", at: () => loadBalancer, port: 80 },
  ])("$to, from $from", async ({ from, at, port }) => {
    const lab = getLab();
    const host = from === "client" ? lab.client : from === "n1" ? node() : lab.pod(from);
    const { v4, v6 } = at();
    const client = await start(host, [v4, v6], port);
    await pause(3000);
    await expectUnharmed(client, 2, STREAMS);
  });
});

test("row 50: streams go on when their endpoint leaves, new connections do not meet it, and then it goes", async () => {
  const lab = getLab();
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const targets = [v4, "80", v6, "80"];
  const client = await startRush(lab, lab.pod("p1a"), { program, rate: 0, streams: 4, targets });
  writeService(manifests, web(lab, ["p1c"]));
  const draining = `-r ${lab.pod("p1b").address.v4}:8080 -m -w 0`;
  await until("the endpoint drains", async () => (await servers()).includes(draining), SLOW_MS, 500);
  await pause(3000);
  await expectUnharmed(client, -1, 4);
  // IPVS remembers ended connections for two minutes.
  await until("it is gone", async () => !(await servers()).includes(lab.pod("p1b").address.v4), SLOW_MS, 1000);
});

test("row 31: without endpoints connections are refused", async () => {
  const lab = getLab();
  writeService(manifests, web(lab, []));
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  await until("no endpoint takes connections", async () => !/-w 1$/m.test(await servers()), SLOW_MS, 500);
  const refused = await startRush(lab, lab.pod("p1a"), { program, rate: 2, streams: 0, targets: [v4, "80", v6, "80"] });
  await pause(4000);
  const { asked, ...fate } = await endRush(refused);
  writeService(manifests, web(lab, ["p1b", "p1c"]));
  await until("they serve again", async () => /-w 1$/m.test(await servers()), SLOW_MS, 500);
  expect(fate).toMatchObject({ answered: 0, refused: asked, reset: 0, timedOut: 0 });
});

test("row 77: rules, addresses and servers that somebody took away are back", async () => {
  const lab = getLab();
  await onNode("iptables", "-t", "nat", "-F", "PORTOLAN-IPVS");
  const rules = () => onNode("iptables", "-t", "nat", "-S", "PORTOLAN-IPVS");
  await until("the rules are back", async () => (await rules()).includes("-A PORTOLAN-IPVS"), SLOW_MS, 500);
  await onNode("ipvsadm", "-C");
  await until("the servers are back", async () => (await servers()).includes("-A -t 10.96.0.10:80"), SLOW_MS, 500);
  await onNode("ip", "address", "delete", "10.96.0.10/32", "dev", "kube-ipvs0");
  const addresses = () => onNode("ip", "-o", "address", "show", "dev", "kube-ipvs0");
  await until("the address is back", async () => (await addresses()).includes(" 10.96.0.10/32 "), SLOW_MS, 500);
  const client = await start(lab.pod("p1a"), ["10.96.0.10", "fd00:10:96::10"], 80);
  await pause(2000);
  await expectUnharmed(client, 1, STREAMS);
});

test("row 47: health checks come through a firewall that lets nobody in", async () => {
  const lab = getLab();
  const ask = (family: "v4" | "v6") => get(lab, lab.client, node().address[family], HEALTH_PORT, "/");
  for (const command of ["iptables", "ip6tables"]) await onNode(command, "-A", "INPUT", "-p", "tcp", "-j", "DROP");
  const policy = { externalTrafficPolicy: "Local", healthCheckNodePort: HEALTH_PORT } as const;
  writeService(manifests, web(lab, ["p1b", "p1c"], policy));
  for (const family of ["v4", "v6"] as const) {
    const listed = () => onNode("ipset", "list", `KUBE-${family === "v6" ? "6-" : ""}HEALTH-CHECK-NODE-PORT`);
    await until("the set has the port", async () => (await listed()).includes(String(HEALTH_PORT)), SLOW_MS, 500);
    await until("it is answered", async () => (await ask(family)).startsWith("HTTP/1.1 200 OK"), SLOW_MS, 500);
  }
  for (const command of ["iptables", "ip6tables"]) await onNode(command, "-D", "INPUT", "-p", "tcp", "-j", "DROP");
  writeService(manifests, web(lab, ["p1b", "p1c"]));
  await until("nothing differs", async () => (await diff()) === "", SLOW_MS, 1000);
});

test("an agent that begins again changes nothing but what kube-proxy's file says, and cleanup leaves nothing but others' servers", async () => {
  await onNode("ipvsadm", "-A", "-t", "192.0.2.77:8080", "-s", "wrr");
  const lists = async () => [
    await servers(),
    await onNode("ipset", "list", "-n"),
    await onNode("iptables", "-t", "nat", "-S"),
  ];
  const [virtual = "", ...others] = await lists();
  await getLab().ip(getLab().client, "route add 10.96.0.10/32 dev eth0");
  expect(await answersArp("10.96.0.10")).toBe(true);
  await agent?.stop();
  const file = join(getLab().plan.directory, "config.conf");
  const head =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nconntrack: {maxPerCore: 0}\n";
  writeFileSync(file, `${head}ipvs: {scheduler: wlc, strictARP: true}\n`);
  agent = await startAgent("--config", file);
  expect(virtual).toContain("-A -t 10.96.0.10:80 -s rr");
  // It is ready at once, for another one's servers serve.
  await until("all have the scheduler", async () => !/ -s rr\b/.test(await servers()), SLOW_MS, 500);
  expect(await lists()).toEqual([virtual.replaceAll(/ -s rr\b/g, " -s wlc"), ...others]);
  expect(await answersArp("10.96.0.10")).toBe(false);
  await agent.stop();
  agent = undefined;
  const places = ["--bpffs", node().bpffs, "--state-dir", node().stateDir];
  await onNode(process.execPath, "dist/portolan.js", "cleanup", ...places);
  expect((await servers()).trim()).toBe("-A -t 192.0.2.77:8080 -s wrr");
  expect(await onNode("ipset", "list", "-n")).toBe("");
  expect(await onNode("ip", "-o", "link")).not.toContain("kube-ipvs0");
  for (const command of ["iptables-save", "ip6tables-save"])
    expect(await onNode(command)).not.toContain("PORTOLAN-IPVS");
});
