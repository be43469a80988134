// SPDX-License-Identifier: Apache-2.0
// A node changes from the real kube-proxy to Portolan, and back, while 1000 connections begin each second and 200 long ones
// and streams of datagrams go on: by pods and by the node itself to the ClusterIP, from outside to the node port, in both
// families. None of them notices.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolanLine } from "../../src/demo/portolan.ts";
import { compileProgram } from "../support/compile.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";
import { create, useApiCluster } from "./support/api-cluster.ts";
import { type KubeProxyMode, startKubeProxy } from "./support/kube-proxy.ts";

const NODE_PORT = 30_080;
const NUMBER = 10;
/** Of each of the four clients that begin under kube-proxy: 1000 together. Those that begin under us only bear streams. */
const RATE = 250;
/** Of each of the eight clients to each of its two TCP targets: 208 together. */
const STREAMS = 13;

const world = useApiCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a", "p2b"] },
  ],
  agents: [],
  firewall: "none",
});

let program: string;
const servers: LabProcess[] = [];
const BACKENDS = ["p1b", "p2b"];

beforeAll(async () => {
  const { cluster, plane } = world();
  const { lab } = cluster;
  program = compileProgram("rush", lab.plan.directory);
  // Hand-back waits so long for streams of datagrams that have ended.
  for (const node of ["n1", "n2"]) {
    for (const time of ["udp_timeout_stream=10", "udp_timeout=5"])
      await lab.exec(lab.node(node), ["sysctl", "-qw", `net.netfilter.nf_conntrack_${time}`]);
  }
  servers.push(...(await Promise.all(BACKENDS.map((name) => serveRush(lab, lab.pod(name), program)))));
  const endpoints = BACKENDS.map((name) => {
    const { address, nodeName } = lab.pod(name);
    return { address, nodeName };
  });
  const web: ServiceSpec = { name: "web", number: NUMBER, protocols: ["TCP", "UDP"], nodePort: NODE_PORT, endpoints };
  await create(plane, web);
});

afterAll(() => Promise.all(servers.map((server) => server.stop())));

describe.each([
  { mode: "iptables", node: "n1", pod: "p1a" },
  { mode: "nftables", node: "n2", pod: "p2a" },
] as const)("kube-proxy's mode $mode", ({ mode, node: name, pod }) => {
  const node = (): NodeHost => world().cluster.lab.node(name);
  let kubeProxy: LabProcess;
  let clients: readonly LabProcess[] = [];

  const startProxy = async (): Promise<LabProcess> => {
    const { cluster, plane } = world();
    const started = startKubeProxy(cluster.lab, node(), plane.kubeconfig("system:kube-proxy"), mode);
    await until(`kube-proxy serves ${name}`, async () => await servesByRules(mode));
    return started;
  };

  /** Its rules name the Service, in both families. */
  const servesByRules = async (of: KubeProxyMode): Promise<boolean> => {
    const { lab } = world().cluster;
    const { v4, v6 } = serviceAddresses(NUMBER).clusterIP;
    const lists =
      of === "nftables"
        ? [["nft", "list", "ruleset"]]
        : [
            ["iptables-save", "-t", "nat"],
            ["ip6tables-save", "-t", "nat"],
          ];
    const listed = (await Promise.all(lists.map((command) => lab.exec(node(), command)))).join("\n");
    return [v4, v6].every((address) =>
      listed.split("\n").some((line) => line.includes(address) && /\b80\b/.test(line)),
    );
  };

  const startClients = async (rate: number, unconnected: boolean): Promise<readonly LabProcess[]> => {
    const { lab } = world().cluster;
    const { v4, v6 } = serviceAddresses(NUMBER).clusterIP;
    const inside = [v4, "80", v6, "80", `udp:${v4}`, "80", `udp:${v6}`, "80"];
    const more = [`udpto:${v4}`, "80", `udpto:${v6}`, "80"];
    const [port, at] = [String(NODE_PORT), node().address];
    const outside = [at.v4, port, at.v6, port, `udp:${at.v4}`, port, `udp:${at.v6}`, port];
    const start = (host: Host, targets: readonly string[], socketBalancing: boolean) =>
      startRush(lab, host, { program, rate, streams: STREAMS, targets, socketBalancing });
    return await Promise.all([
      start(lab.pod(pod), [...inside, ...(unconnected ? more : [])], true),
      start(lab.pod(pod), [...inside, ...more], false),
      start(node(), inside, true),
      start(lab.client, outside, false),
    ]);
  };

  test("take-over and back: nothing fails", async () => {
    const { cluster } = world();
    kubeProxy = await startProxy();
    const begunBefore = await startClients(RATE, true);
    const agent = await cluster.startAgent(name, ["--take-over"]);
    clients = begunBefore;
    await agent.waitForOutput(/INFO took over from kube-proxy/);
    await kubeProxy.stop();
    expect(await servesByRules(mode)).toBe(false);
    const begunUnderUs = await startClients(0, false);
    clients = [...begunBefore, ...begunUnderUs];
    await pause(2000);
    await agent.stop();

    const before = await cluster.startAgent(name);
    kubeProxy = await startProxy();
    await before.stop();
    const handBack = cluster.lab.spawn(node(), portolanLine(node(), ["cleanup", "--hand-back", "--wait", "60s"]));
    await handBack.waitForOutput(/new connections are kube-proxy's/);
    await pause(2000);
    await Promise.all(begunUnderUs.map((client) => expectUnharmed(client, -1, STREAMS)));
    await handBack.exited;
    expect(handBack.stdout).toMatch(/^removed \d+ links/);
    await pause(1000);
    await Promise.all(begunBefore.map((client) => expectUnharmed(client, 1000, STREAMS)));
  }, 90_000);

  afterAll(() => Promise.all([...clients, kubeProxy].map((one) => one?.stop())));
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
