// SPDX-License-Identifier: Apache-2.0
// A node changes from the real kube-proxy in IPVS mode to Portolan: connections and sockets' datagrams that IPVS has begun go on
// there until they end, new ones are ours at once, and then all of IPVS is gone but what is not kube-proxy's. Pods, the node itself,
// a client outside; both families. The API server is a stand-in: the real one would take minutes to begin here.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { startKubeProxy } from "../cluster/support/kube-proxy.ts";
import { spawnAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import {
  type KubeObject,
  nodeObject,
  type ServiceSpec,
  serviceAddresses,
  serviceObjects,
  writeObjects,
} from "../support/manifests.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";

const SLOW_MS = 400_000; // an emulated processor
/** IPVS remembers ended connections of TCP for two minutes, and the agent looks every half. */
const GONE_MS = 400_000;
const [WEB, NAMES] = [10, 11];
const NODE_PORT = 30_080;
const NAMES_PORT = 9000;
const API_PORT = 8001;
const STREAMS = 3;
const CLIENTS = 4;
/** Of a load balancer that somebody else has on this node; kube-proxy is told to leave it alone. */
const FOREIGN = "192.0.2.77:8080";

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });
const node = (): NodeHost => getLab().node("n1");
const onNode = (...argv: readonly string[]): Promise<string> => getLab().exec(node(), argv);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const servers = (): Promise<string> => onNode("ipvsadm", "-Sn");
let manifests: string;
let program: string;
let kubeProxy: LabProcess;
let agent: LabProcess;
let clients: readonly LabProcess[];
let resolvers: LabProcess;
let asking: NodeJS.Timeout;

/** Connections that IPVS has begun since it was loaded. */
async function begunByIpvs(): Promise<number> {
  const [, , totals = ""] = (await onNode("cat", "/proc/net/ip_vs_stats")).split("\n");
  return Number.parseInt(totals.trim(), 16);
}

async function startIpvs(lab: Lab, objects: readonly object[]): Promise<LabProcess> {
  const objectsFile = join(lab.plan.directory, "objects.json");
  writeFileSync(objectsFile, JSON.stringify(objects));
  const api = lab.spawn(node(), ["node", "test/support/programs/static-api.mjs", objectsFile, String(API_PORT)]);
  await api.waitForOutput(/^ready$/m, SLOW_MS);
  const kubeconfig = join(lab.plan.directory, "kubeconfig");
  const clusters = [{ name: "test", cluster: { server: `http://127.0.0.1:${API_PORT}` } }];
  const contexts = [{ name: "test", context: { cluster: "test", user: "" } }];
  const config = { apiVersion: "v1", kind: "Config", clusters, contexts, "current-context": "test" };
  writeFileSync(kubeconfig, JSON.stringify(config));
  return startKubeProxy(lab, node(), kubeconfig, "ipvs", {
    clientConnection: { kubeconfig, contentType: "application/json", acceptContentTypes: "application/json" },
    ipvs: { excludeCIDRs: ["192.0.2.77/32"], udpTimeout: "120s" },
    // Else what comes late, as much does here, is reset in this mode, whose rules do not drop it (row 43).
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s", tcpBeLiberal: true },
  });
}

/** rate: of new connections a second, for each client. */
async function startClients(rate: number): Promise<readonly LabProcess[]> {
  const lab = getLab();
  const { v4, v6 } = serviceAddresses(WEB).clusterIP;
  const inside = [v4, "80", v6, "80"];
  const [port, at] = [String(NODE_PORT), node().address];
  const start = (host: Host, targets: readonly string[], socketBalancing: boolean) =>
    startRush(lab, host, { program, rate, streams: STREAMS, targets, socketBalancing });
  return await Promise.all([
    start(lab.pod("p1a"), inside, true),
    start(lab.pod("p1a"), inside, false),
    start(node(), inside, true),
    start(lab.client, [at.v4, port, at.v6, port], false),
  ]);
}

/** Web is served by a pod, names by two others, of which sockets keep theirs. */
function specs(lab: Lab): readonly ServiceSpec[] {
  const at = (pod: string, port?: number) => {
    const { address, nodeName } = lab.pod(pod);
    return { address, nodeName, ...(port !== undefined && { port }) };
  };
  const web: ServiceSpec = { name: "web", number: WEB, nodePort: NODE_PORT, external: true, endpoints: [at("p1b")] };
  const endpoints = [at("p1b", NAMES_PORT), at("p1c", NAMES_PORT)];
  return [web, { name: "names", number: NAMES, port: 53, protocols: ["UDP"], endpoints }];
}

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  program = compileProgram("rush", lab.plan.directory);
  const nodeItself = nodeObject("n1", { "kubernetes.io/hostname": "n1" }, [], node().address);
  const objects: readonly KubeObject[] = [...specs(lab).flatMap(serviceObjects), nodeItself];
  await onNode("mkdir", manifests);
  writeObjects(manifests, "all", objects);
  await serveRush(lab, lab.pod("p1b"), program);
  for (const pod of ["p1b", "p1c"]) {
    const settings = JSON.stringify({ name: pod, tcp: [], udp: [NAMES_PORT] });
    const server = lab.spawn(lab.pod(pod), ["node", "src/demo/lab/programs/server.mjs", settings]);
    await server.waitForOutput(/^ready$/m, SLOW_MS);
  }
  await onNode("ip", "address", "add", "192.0.2.77/32", "dev", "lo");
  await onNode("ipvsadm", "-A", "-t", FOREIGN, "-s", "wrr");
  await onNode("ipvsadm", "-a", "-t", FOREIGN, "-r", `${lab.pod("p1b").address.v4}:8080`, "-m");
  kubeProxy = await startIpvs(lab, objects);
  await until("kube-proxy has node ports", async () => (await servers()).includes(`:${NODE_PORT}`), SLOW_MS, 500);
  // Last of all, family by family: what begins before is masqueraded in its midst, and reset.
  for (const command of ["iptables-save", "ip6tables-save"]) {
    const masquerades = async () => /-A KUBE-POSTROUTING .*-j MASQUERADE/.test(await onNode(command, "-t", "nat"));
    await until(`${command} has its rules`, masquerades, SLOW_MS, 500);
  }
});

test("an agent that takes over serves what begins from then on, and what IPVS has begun goes on", async () => {
  // None that begins: a SYN that the emulated node answers only when it is sent again may meet kube-proxy and then us.
  clients = await startClients(0);
  const ask = [
    "node",
    "test/support/programs/udp-ask.mjs",
    serviceAddresses(NAMES).clusterIP.v4,
    "53",
    "6",
    "connected",
  ];
  resolvers = getLab().spawn(getLab().pod("p1a"), ask, { socketBalancing: false });
  await resolvers.waitForOutput(/^ready$/m, SLOW_MS);
  asking = setInterval(() => resolvers.write("\n"), 5000);
  await resolvers.waitForOutput(/^\[.*"p1b".*\n/m, SLOW_MS);
  agent = spawnAgent(getLab(), node(), manifests, { flags: ["--devices", "eth0", "--take-over"] });
  await agent.waitForOutput(/ INFO ready/, SLOW_MS);
  await agent.waitForOutput(/WARN a kube-proxy's rules .*its virtual servers carry connections/, SLOW_MS);
  const begun = await begunByIpvs();
  const later = await startClients(2);
  await pause(5000);
  for (const client of later) await expectUnharmed(client, 5, STREAMS);
  expect(await begunByIpvs()).toBe(begun);
  const carried = await onNode("cat", "/proc/net/ip_vs_conn");
  expect(carried.match(/^TCP .* ESTABLISHED /gm)).toHaveLength(2 * STREAMS * CLIENTS);
  expect(carried.match(/^UDP .* 0A60000B 0035 /gm)).toHaveLength(6);
}, 900_000);

test("kube-proxy stopped, virtual servers stay while a connection is left, and then all goes that was kube-proxy's", async () => {
  await kubeProxy.stop();
  clearInterval(asking);
  const answers = new Set(resolvers.stdout.match(/^\[.*$/gm));
  await resolvers.stop();
  expect([...answers]).toEqual([expect.stringMatching(/p1b.*p1c/)]); // each of the same to the end
  const [last, ...others] = clients;
  for (const client of others) await expectUnharmed(client, -1, STREAMS);
  await pause(35_000); // the agent has looked once more
  expect(await servers()).toContain("10.96.0.10:80");
  if (last) await expectUnharmed(last, -1, STREAMS);
  await agent.waitForOutput(/INFO took over from kube-proxy: .* virtualServers=\d+/, GONE_MS);
  expect(
    (await servers())
      .trim()
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual([`-A -t ${FOREIGN} -s wrr`, `-a -t ${FOREIGN} -r ${getLab().pod("p1b").address.v4}:8080 -m -w 1`]);
  expect(await onNode("ipset", "list", "-n")).toBe("");
  expect(await onNode("ip", "-o", "link")).not.toContain("kube-ipvs0");
  for (const command of ["iptables-save", "ip6tables-save"]) {
    expect(await onNode(command)).not.toMatch(/KUBE-(?!FIREWALL|KUBELET)/);
  }
  const after = await startClients(2);
  await pause(3000);
  for (const client of after) await expectUnharmed(client, 2, STREAMS);
  await agent.stop();
}, 900_000);
