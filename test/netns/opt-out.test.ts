// SPDX-License-Identifier: Apache-2.0
// Pods whose sockets are not balanced, by annotation: the VIP stays on the wire and tc serves it, while every other
// pod's sockets are balanced as ever. On n1 pods are told by their cgroup2, on n2 by the processes in their version 1
// cgroups. Whatever began before the annotation came or went goes on as it began.
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import {
  countPackets,
  enterCgroup,
  makeCgroupfsCgroup,
  makeSystemdCgroup,
  packetsSent,
  removeCgroups,
  UdpSockets,
  writeNamespace,
  writePod,
} from "../support/opt-out.ts";
import { until } from "../support/until.ts";

const WEB = 71;
const CGROUP1 = "/sys/fs/cgroup/pids";
const UIDS = { p1a: "0a1b2c3d-0000-4000-8000-00000000000a", p2a: "0a1b2c3d-0000-4000-8000-00000000000b" } as const;
const WAYS = [
  { by: "cgroup", told: "cgroup", node: "n1", pod: "p1a", other: "p1c" },
  { by: "netns", told: "network namespace", node: "n2", pod: "p2a", other: "p2c" },
] as const;
type PodName = (typeof WAYS)[number]["pod"];
const families = ["v4", "v6"] as const;
/** Of two endpoints, so many sockets would not all meet the same again by chance. */
const MANY = 24;

const cluster = useCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b", "p1c"] },
    { name: "n2", routedPods: ["p2a", "p2b", "p2c"] },
  ],
  firewall: "realistic",
  services: (lab) => [
    {
      name: "web",
      number: WEB,
      endpoints: ["p1b", "p2b"].map((name) => {
        const { address, nodeName } = lab.pod(name);
        return { address, nodeName };
      }),
    },
  ],
});

let pause: LabProcess | undefined;
let version1: { readonly root: string; readonly container: string } | undefined;

beforeAll(async () => {
  const { lab, manifests } = cluster();
  for (const name of ["p1b", "p2b"]) await lab.serve(lab.pod(name));
  for (const { pod, other } of WAYS) {
    for (const name of [pod, other]) await countPackets(cluster(), lab.pod(name));
    writePod(manifests, lab.pod(pod), { uid: UIDS[pod], balancing: "false" });
  }
  makeSystemdCgroup(lab.node("n1").cgroupRoot, UIDS.p1a);
  const root = `${CGROUP1}/${lab.plan.id}`;
  mkdirSync(root);
  await cluster().killAgent("n2");
  await cluster().startAgent("n2", ["--pod-cgroups", root]);
  version1 = { root, container: makeCgroupfsCgroup(root, UIDS.p2a) };
  pause = lab.spawn(lab.pod("p2a"), ["sleep", "infinity"]);
  enterCgroup(version1.container, pause.pid);
  for (const { pod } of WAYS) await expectOptedOut(pod);
});

afterAll(async () => {
  await pause?.stop("SIGKILL");
  if (version1) await removeCgroups(version1.container, version1.root);
});

/** The pod's processes: on n1 in the container's cgroup. */
function hostOf(pod: string): Host {
  const { lab } = cluster();
  const host = lab.pod(pod);
  return pod === "p1a" ? { ...host, cgroup: makeSystemdCgroup(lab.node("n1").cgroupRoot, UIDS.p1a) } : host;
}

function client(pod: string): Promise<TrafficAgent> {
  return cluster().socket(hostOf(pod));
}

function wayOf(pod: PodName): (typeof WAYS)[number] {
  return WAYS.find((way) => way.pod === pod) ?? WAYS[0];
}

/** What the agent last said of the pod. */
function said(pod: PodName): string | undefined {
  const log = cluster().agents.get(wayOf(pod).node)?.stderr ?? "";
  return [...log.matchAll(new RegExp(`Pod test/${pod}: (.*)`, "g"))].at(-1)?.[1];
}

async function expectOptedOut(pod: PodName): Promise<void> {
  const expected = `its sockets are left to the wire, told by its ${wayOf(pod).told}`;
  await until(`${pod} is opted out`, () => said(pod) === expected);
}

async function toggle(pod: PodName, balancing: "true" | "false"): Promise<void> {
  writePod(cluster().manifests, cluster().lab.pod(pod), { uid: UIDS[pod], balancing });
  if (balancing === "false") return expectOptedOut(pod);
  await until(`${pod} is balanced`, () => said(pod) === "its sockets are balanced again");
}

describe.each(WAYS)("a pod that is told by its $by", ({ by, node, pod, other }) => {
  describe.each(families)("%s", (family) => {
    const address = serviceAddresses(WEB).clusterIP[family];
    const vip = family === "v4" ? `${address}:80` : `[${address}]:80`;

    /** Where packets of each way to use sockets went. */
    async function ways(name: string): Promise<void> {
      const agent = await client(name);
      const target = { address, port: 80, count: 6 };
      const source = cluster().lab.pod(name).address[family];
      const expected = { answered: 6, failures: {}, remotes: { [vip]: 6 }, sources: { [source]: 6 } };
      const wanted = name === pod ? ["vip"] : ["pod"];
      await packetsSent(cluster(), cluster().lab.pod(name), family);
      for (const ask of [
        () => agent.tcp(target),
        () => agent.udp(target),
        () => agent.udp({ ...target, connected: true }),
      ]) {
        const result = await ask();
        expect(result).toMatchObject(expected);
        for (const { peername } of result.answers) expect(peername ?? vip).toBe(vip);
        expect(await packetsSent(cluster(), cluster().lab.pod(name), family)).toEqual(wanted);
      }
    }

    test("sends to the VIP, by TCP and UDP, connected or not, and is answered from it", () => ways(pod));

    test("while the node's other pods send to the backend", () => ways(other));

    test("what began goes on as it began when the annotation comes and goes", async () => {
      const { lab } = cluster();
      const sent = () => packetsSent(cluster(), lab.pod(pod), family);
      const agent = await client(pod);
      const begin = async () => ({
        tcp: await agent.hold({ address, port: 80 }),
        unconnected: await UdpSockets.open(cluster(), hostOf(pod), address, MANY, "unconnected"),
        connected: await UdpSockets.open(cluster(), hostOf(pod), address, 2, "connected"),
      });
      const goOn = async ({ tcp, unconnected, connected }: Awaited<ReturnType<typeof begin>>) => {
        await sent();
        await tcp.echo();
        const answers = [...(await unconnected.ask()), ...(await connected.ask())];
        expect(tcp.answer.remote).toBe(vip);
        for (const { from, peername } of answers) {
          expect([from, peername ?? from]).toEqual([`${address}:80`, `${address}:80`]);
        }
        return { pods: answers.map((answer) => answer.pod), sent: await sent() };
      };

      await toggle(pod, "true");
      const balanced = await begin();
      const first = await goOn(balanced);
      expect(first.sent).toEqual(["pod"]);
      await toggle(pod, "false");
      expect(await goOn(balanced)).toEqual(first);

      const wired = await begin();
      const second = await goOn(wired);
      expect(second.sent).toEqual(["vip"]);
      await toggle(pod, "true");
      expect(await goOn(wired)).toEqual(second);
      expect(await goOn(balanced)).toEqual(first);
      await expectBalanced(agent, sent);
      await toggle(pod, "false");
      expect(await goOn(wired)).toEqual(second);
      for (const { tcp } of [balanced, wired]) await tcp.close();
    });

    async function expectBalanced(agent: TrafficAgent, sent: () => Promise<readonly string[]>): Promise<void> {
      await sent();
      expect(await agent.tcp({ address, port: 80, count: 4 })).toMatchObject({ answered: 4 });
      expect(await agent.udp({ address, port: 80, count: 4 })).toMatchObject({ answered: 4 });
      expect(await sent()).toEqual(["pod"]);
    }
  });

  test("status lists it, and explain answers a socket of it for its packets", async () => {
    const { lab } = cluster();
    const status = JSON.parse(await portolan(lab.node(node), ["status", "-o", "json"]));
    expect(status.unbalancedPods).toEqual([{ pod: `test/${pod}`, by }]);
    const questions = [pod, other].flatMap((name) =>
      families.map((family) => ({
        src: lab.pod(name).address[family],
        dst: serviceAddresses(WEB).clusterIP[family],
        dport: 80,
      })),
    );
    const lines = questions.map((question) => JSON.stringify(question)).join("\n");
    const told = await lab.exec(
      lab.node(node),
      portolanLine(lab.node(node), ["explain", "--batch", "--socket"]),
      lines,
    );
    const answers = told
      .trim()
      .split("\n")
      .map((line): { verdict: string; reason: string } => JSON.parse(line));
    expect(answers.map(({ verdict, reason }) => `${verdict}: ${reason.split(";")[0]}`)).toEqual([
      `dnat: connect() of a pod of this node, which leaves all to its packets: test/${pod} is opted out of socket balancing`,
      `dnat: connect() of a pod of this node, which leaves all to its packets: test/${pod} is opted out of socket balancing`,
      "dnat: connect() of a pod of this node",
      "dnat: connect() of a pod of this node",
    ]);
  });

  test("a kill -9 of the agent leaves it so, and the next one finds what changed", async () => {
    const flags = version1 && node === "n2" ? ["--pod-cgroups", version1.root] : [];
    await cluster().killAgent(node);
    const agent = await client(pod);
    await packetsSent(cluster(), cluster().lab.pod(pod), "v4");
    const { v4 } = serviceAddresses(WEB).clusterIP;
    expect(await agent.tcp({ address: v4, port: 80, count: 4 })).toMatchObject({ answered: 4 });
    expect(await packetsSent(cluster(), cluster().lab.pod(pod), "v4")).toEqual(["vip"]);
    writePod(cluster().manifests, cluster().lab.pod(pod), { uid: UIDS[pod], balancing: "true" });
    await cluster().startAgent(node, flags);
    expect(await agent.tcp({ address: v4, port: 80, count: 4 })).toMatchObject({ answered: 4 });
    expect(await packetsSent(cluster(), cluster().lab.pod(pod), "v4")).toEqual(["pod"]);
  });

  test("its Namespace may say so in its place", async () => {
    writePod(cluster().manifests, cluster().lab.pod(pod), { uid: UIDS[pod] });
    writeNamespace(cluster().manifests, "false");
    await expectOptedOut(pod);
    writeNamespace(cluster().manifests, undefined);
    await until(`${pod} is balanced`, () => said(pod) === "its sockets are balanced again");
  });
});
