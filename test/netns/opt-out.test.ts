// SPDX-License-Identifier: Apache-2.0
// Pods whose sockets are not balanced, by annotation: the VIP stays on the wire and tc serves it, while every other
// pod's sockets are balanced as ever. p1a is told by its cgroup2, p1d by the processes in its version 1 cgroup. Whatever began before the annotation came or went goes on as it began.
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
const CGROUP1 = "/sys/fs/cgroup/memory";
const UIDS = { p1a: "0a1b2c3d-0000-4000-8000-00000000000a", p1d: "0a1b2c3d-0000-4000-8000-00000000000d" } as const;
const WAYS = [
  { by: "cgroup", told: "cgroup", pod: "p1a" },
  { by: "netns", told: "network namespace", pod: "p1d" },
] as const;
type PodName = (typeof WAYS)[number]["pod"];
const families = ["v4", "v6"] as const;
/** Of two endpoints, so many sockets would not all meet the same again by chance. */
const MANY = 24;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c", "p1d", "p1e"] }],
  firewall: "realistic",
  services: (lab) => [
    {
      name: "web",
      number: WEB,
      endpoints: ["p1b", "p1e"].map((name) => {
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
  for (const name of ["p1b", "p1e"]) await lab.serve(lab.pod(name));
  for (const name of ["p1a", "p1c", "p1d"]) await countPackets(cluster(), lab.pod(name));
  for (const { pod } of WAYS) writePod(manifests, lab.pod(pod), { uid: UIDS[pod], balancing: "false" });
  makeSystemdCgroup(lab.node("n1").cgroupRoot, UIDS.p1a);
  // As of a kubelet with a --cgroup-root; its name keeps it apart from those of other tests.
  const root = `${CGROUP1}/${lab.plan.id}-kubepods`;
  version1 = { root, container: makeCgroupfsCgroup(root, UIDS.p1d) };
  pause = lab.spawn(lab.pod("p1d"), ["sleep", "infinity"]);
  enterCgroup(version1.container, pause.pid);
  for (const { pod } of WAYS) await expectOptedOut(pod);
});

afterAll(async () => {
  await pause?.stop("SIGKILL");
  if (version1) await removeCgroups(version1.container, version1.root);
});

/** The pod's processes: of p1a in its container's cgroup. */
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
  const log = cluster().agents.get("n1")?.stderr ?? "";
  return [...log.matchAll(new RegExp(`Pod test/${pod}: (.*)`, "g"))].at(-1)?.[1];
}

async function expectOptedOut(pod: PodName): Promise<void> {
  const expected = `its sockets are left to the wire, told by its ${wayOf(pod).told}`;
  await until(`${pod} is opted out`, () => said(pod) === expected);
}

async function expectBalanced(pod: PodName): Promise<void> {
  await until(`${pod} is balanced`, () => said(pod) === "its sockets are balanced again");
}

async function toggle(pod: PodName, balancing: "true" | "false"): Promise<void> {
  writePod(cluster().manifests, cluster().lab.pod(pod), { uid: UIDS[pod], balancing });
  if (balancing === "false") return expectOptedOut(pod);
  await expectBalanced(pod);
}

describe.each(WAYS)("a pod that is told by its $by", ({ pod }) => {
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

    test("while the node's other pods send to the backend", () => ways("p1c"));

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
      await expectToBackend(agent, sent);
      await toggle(pod, "false");
      expect(await goOn(wired)).toEqual(second);
      for (const { tcp } of [balanced, wired]) await tcp.close();
    });

    async function expectToBackend(agent: TrafficAgent, sent: () => Promise<readonly string[]>): Promise<void> {
      await sent();
      expect(await agent.tcp({ address, port: 80, count: 4 })).toMatchObject({ answered: 4 });
      expect(await agent.udp({ address, port: 80, count: 4 })).toMatchObject({ answered: 4 });
      expect(await sent()).toEqual(["pod"]);
    }
  });

  test("its Namespace may say so in its place", async () => {
    writePod(cluster().manifests, cluster().lab.pod(pod), { uid: UIDS[pod] });
    await expectBalanced(pod);
    writeNamespace(cluster().manifests, "false");
    await expectOptedOut(pod);
    writeNamespace(cluster().manifests, undefined);
    await expectBalanced(pod);
  });
});

const ASKED = "which leaves all to its packets: test/";

test("status lists them, and explain answers a socket of theirs for its packets", async () => {
  const { lab } = cluster();
  const n1 = lab.node("n1");
  for (const { pod } of WAYS) await toggle(pod, "false");
  const status = JSON.parse(await portolan(n1, ["status", "-o", "json"]));
  expect(status.unbalancedPods).toEqual([
    { pod: "test/p1a", by: "cgroup" },
    { pod: "test/p1d", by: "netns" },
  ]);
  const questions = ["p1a", "p1d", "p1c"].flatMap((name) =>
    families.map((family) => ({
      src: lab.pod(name).address[family],
      dst: serviceAddresses(WEB).clusterIP[family],
      dport: 80,
    })),
  );
  const lines = questions.map((question) => JSON.stringify(question)).join("\n");
  const told = await lab.exec(n1, portolanLine(n1, ["explain", "--batch", "--socket"]), lines);
  const answers = told
    .trim()
    .split("\n")
    .map((line): { verdict: string; reason: string } => JSON.parse(line));
  expect(answers.map(({ verdict, reason }) => `${verdict}: ${reason.split(";")[0]}`)).toEqual([
    `dnat: connect() of a pod of this node, ${ASKED}p1a is opted out of socket balancing`,
    `dnat: connect() of a pod of this node, ${ASKED}p1a is opted out of socket balancing`,
    `dnat: connect() of a pod of this node, ${ASKED}p1d is opted out of socket balancing`,
    `dnat: connect() of a pod of this node, ${ASKED}p1d is opted out of socket balancing`,
    "dnat: connect() of a pod of this node",
    "dnat: connect() of a pod of this node",
  ]);
});

test("a process in the node's own network namespace stays balanced, also in an opted-out pod's cgroup", async () => {
  const { lab } = cluster();
  const n1 = lab.node("n1");
  await toggle("p1a", "false");
  const agent = await lab.agentIn({ ...n1, cgroup: hostOf("p1a").cgroup });
  for (const family of families) {
    const target = { address: serviceAddresses(WEB).clusterIP[family], port: 80, count: 3 };
    expect(await agent.tcp(target)).toMatchObject({ answered: 3, failures: {} });
    expect(await agent.udp(target)).toMatchObject({ answered: 3, failures: {} });
  }
});

test("a kill -9 of the agent leaves them so, and the next one finds what changed", async () => {
  const address = serviceAddresses(WEB).clusterIP.v4;
  const sends = async (pod: PodName): Promise<readonly string[]> => {
    const agent = await client(pod);
    await packetsSent(cluster(), cluster().lab.pod(pod), "v4");
    expect(await agent.tcp({ address, port: 80, count: 4 })).toMatchObject({ answered: 4 });
    return packetsSent(cluster(), cluster().lab.pod(pod), "v4");
  };
  await cluster().killAgent("n1");
  for (const { pod } of WAYS) expect(await sends(pod)).toEqual(["vip"]);
  writePod(cluster().manifests, cluster().lab.pod("p1a"), { uid: UIDS.p1a, balancing: "true" });
  await cluster().startAgent("n1", ["--pod-cgroups", CGROUP1]);
  expect(await sends("p1a")).toEqual(["pod"]);
  expect(await sends("p1d")).toEqual(["vip"]);
});
