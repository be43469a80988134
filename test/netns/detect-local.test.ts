// SPDX-License-Identifier: Apache-2.0
// detectLocalMode with real sockets (behaviour rows 34-38): pods of this node, routed and bridged, a pod and the host of
// another node, a client outside and this node itself ask every kind of frontend, in every mode; the backends say whom
// they see. `explain` must say the same.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import { SERVICE_PREFIXES } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { removeService, type ServiceSpec, serviceAddresses, writeNode, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
type Family = (typeof families)[number];

/** Only n1 runs an agent: what pods and the host of n2 send to a VIP comes to it by its uplink. */
const lab = useLab({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"], bridgedPods: ["b1a"] },
    { name: "n2", routedPods: ["p2a", "p2b"] },
  ],
});
const ASKERS = ["p1a", "b1a", "p2a", "n2", "client"] as const;
type Asker = (typeof ASKERS)[number];

/** web and here are served by p1b on n1, away by p2b on n2. */
const WEB = { number: 1, nodePort: 30201 };
const HERE = { number: 2, nodePort: 30202 };
const AWAY = { number: 3, nodePort: 30203 };

function services(): readonly ServiceSpec[] {
  const at = (name: string) => [{ address: lab().pod(name).address, nodeName: lab().pod(name).nodeName }];
  const local = { external: true, externalTrafficPolicy: "Local" } as const;
  return [
    { name: "web", ...WEB, external: true, endpoints: at("p1b") },
    { name: "here", ...HERE, ...local, endpoints: at("p1b") },
    { name: "away", ...AWAY, ...local, endpoints: at("p2b") },
  ];
}

type Frontend = readonly [service: { number: number; nodePort: number }, by: "clusterIP" | "nodePort" | "loadBalancer"];

/** Whom the backend sees. "node": n1; "silence": nobody answers. */
type Sees = "itself" | "node" | "silence";
type Row = readonly [row: number, frontend: Frontend, sees: Sees];
const question = (row: number, frontend: Frontend, sees: Sees): Row => [row, frontend, sees];

/** A local pod keeps its address (37, 34a), except where policy Cluster is asked from outside the cluster IP (36). */
const POD: readonly Row[] = [
  question(37, [WEB, "clusterIP"], "itself"),
  question(36, [WEB, "nodePort"], "node"),
  question(36, [WEB, "loadBalancer"], "node"),
  question(37, [HERE, "clusterIP"], "itself"),
  question(34, [HERE, "nodePort"], "itself"),
  question(34, [HERE, "loadBalancer"], "itself"),
  question(34, [AWAY, "nodePort"], "itself"),
  question(34, [AWAY, "loadBalancer"], "itself"),
];
/** Anybody else is masqueraded at the cluster IP (37), and meets only this node's endpoints under policy Local (34c). */
const OUTSIDER: readonly Row[] = [
  question(37, [WEB, "clusterIP"], "node"),
  question(36, [WEB, "nodePort"], "node"),
  question(36, [WEB, "loadBalancer"], "node"),
  question(37, [HERE, "clusterIP"], "node"),
  question(34, [HERE, "nodePort"], "itself"),
  question(34, [HERE, "loadBalancer"], "itself"),
  question(34, [AWAY, "nodePort"], "silence"),
  question(34, [AWAY, "loadBalancer"], "silence"),
];
/** Without a detector: as an outsider, but a cluster IP is never masqueraded (35). */
const UNTOLD: readonly Row[] = [
  question(35, [WEB, "clusterIP"], "itself"),
  question(36, [WEB, "nodePort"], "node"),
  question(36, [WEB, "loadBalancer"], "node"),
  question(35, [HERE, "clusterIP"], "itself"),
  question(35, [HERE, "nodePort"], "itself"),
  question(35, [HERE, "loadBalancer"], "itself"),
  question(35, [AWAY, "nodePort"], "silence"),
  question(35, [AWAY, "loadBalancer"], "silence"),
];
/** masqueradeAll: at a cluster IP, whoever it is; policy Local keeps the client's address all the same (34). */
const POD_MASQUERADED: readonly Row[] = POD.map(([row, frontend, sees]) => {
  return [row, frontend, frontend[1] === "clusterIP" ? "node" : sees];
});

interface Mode {
  readonly name: string;
  readonly flags: readonly string[];
  readonly rows: Readonly<Record<Asker, readonly Row[]>>;
  /** What explain says of p1a and of the client outside. */
  readonly explained: Readonly<Record<"p1a" | "client", RegExp>>;
}

const CLUSTER_CIDR = ["--cluster-cidr", "10.9.0.0/16,fd00:9::/32"];
const told = (mode: string) => new RegExp(`^a local pod to detectLocalMode ${mode}`);
const notTold = (mode: string) => new RegExp(`^no local pod to detectLocalMode ${mode}`);
const podsOfThisNode = { p1a: POD, b1a: POD, p2a: OUTSIDER, n2: OUTSIDER, client: OUTSIDER };

const MODES: readonly Mode[] = [
  {
    name: "none",
    flags: [],
    rows: podsOfThisNode,
    explained: { p1a: /^a pod of this node/, client: /^a client from outside, by eth0/ },
  },
  {
    name: "ClusterCIDR",
    flags: CLUSTER_CIDR,
    rows: { p1a: POD, b1a: POD, p2a: POD, n2: OUTSIDER, client: OUTSIDER },
    explained: { p1a: told("ClusterCIDR"), client: notTold("ClusterCIDR") },
  },
  {
    name: "ClusterCIDR of another cluster",
    flags: ["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.77.0.0/16,fd00:77::/32"],
    rows: { p1a: OUTSIDER, b1a: OUTSIDER, p2a: OUTSIDER, n2: OUTSIDER, client: OUTSIDER },
    explained: { p1a: notTold("ClusterCIDR"), client: notTold("ClusterCIDR") },
  },
  {
    name: "NodeCIDR",
    flags: ["--detect-local-mode", "NodeCIDR"],
    rows: podsOfThisNode,
    explained: { p1a: told("NodeCIDR"), client: notTold("NodeCIDR") },
  },
  {
    name: "BridgeInterface cni0",
    flags: ["--detect-local-mode", "BridgeInterface", "--pod-bridge-interface", "cni0"],
    rows: { p1a: OUTSIDER, b1a: POD, p2a: OUTSIDER, n2: OUTSIDER, client: OUTSIDER },
    explained: { p1a: notTold("BridgeInterface"), client: notTold("BridgeInterface") },
  },
  {
    name: "InterfaceNamePrefix v_",
    flags: ["--detect-local-mode", "InterfaceNamePrefix", "--pod-interface-name-prefix", "v_"],
    // the bridge's port is v_b1a, but its packets come in by cni0
    rows: { p1a: POD, b1a: OUTSIDER, p2a: OUTSIDER, n2: OUTSIDER, client: OUTSIDER },
    explained: { p1a: told("InterfaceNamePrefix"), client: notTold("InterfaceNamePrefix") },
  },
  {
    name: "ClusterCIDR with masquerade-all",
    flags: [...CLUSTER_CIDR, "--masquerade-all"],
    rows: {
      p1a: POD_MASQUERADED,
      b1a: POD_MASQUERADED,
      p2a: POD_MASQUERADED,
      n2: OUTSIDER,
      client: OUTSIDER,
    },
    explained: { p1a: told("ClusterCIDR"), client: notTold("ClusterCIDR") },
  },
];

let manifests = "";
let agent: LabProcess | undefined;
const clients = new Map<string, TrafficAgent>();

beforeAll(async () => {
  manifests = join(lab().plan.directory, "manifests");
  mkdirSync(manifests);
  for (const spec of services()) writeService(manifests, spec);
  await Promise.all(["p1b", "p2b"].map((name) => lab().serve(lab().pod(name))));
  const n1 = lab().node("n1").address;
  const via = SERVICE_PREFIXES.map((to) => `route add ${to} via ${to.includes(":") ? n1.v6 : n1.v4}`);
  await lab().ip(lab().node("n2"), ...via);
  for (const name of ASKERS) {
    clients.set(name, await lab().agentIn(hostOf(lab(), name), { socketBalancing: false }));
  }
  clients.set("n1", await lab().agentIn(lab().node("n1")));
});

async function restart(flags: readonly string[]): Promise<LabProcess> {
  await agent?.stop();
  agent = await readyAgent(lab(), lab().node("n1"), manifests, { flags: ["--devices", "eth0", ...flags] });
  return agent;
}

function targetOf([{ number, nodePort }, by]: Frontend, family: keyof DualAddress) {
  if (by === "nodePort") return { address: lab().node("n1").address[family], port: nodePort };
  return { address: serviceAddresses(number)[by][family], port: 80 };
}

/** A pod of another node as a local pod would be answered by an endpoint elsewhere past this node. */
function answersPastThisNode(asker: Asker, [{ number }]: Frontend): boolean {
  return asker === "p2a" && number === AWAY.number;
}

async function expectSource(asker: Asker, family: Family, [row, frontend, sees]: Row): Promise<void> {
  const client = clients.get(asker);
  const own = hostOf(lab(), asker).address[family];
  const sources = { itself: { [own]: 2 }, node: { [lab().node("n1").address[family]]: 2 }, silence: {} }[sees];
  const target = {
    ...targetOf(frontend, family),
    count: 2,
    concurrency: 2,
    timeoutMs: sees === "silence" ? 400 : 4000,
  };
  const expected = { row, sources, failures: sees === "silence" ? { TIMEOUT: 2 } : {} };
  for (const result of [await client?.tcp(target), await client?.udp(target)]) {
    expect({ row, sources: result?.sources, failures: result?.failures }).toEqual(expected);
  }
}

describe.each(MODES)("detectLocalMode $name", ({ flags, rows, explained }) => {
  beforeAll(async () => {
    writeNode(manifests, "n1", {}, ["10.9.1.0/24", "fd00:9:1::/64"]);
    await agent?.stop();
    // A datagram from a port that the mode before has seen would go on as that flow does.
    await portolan(lab().node("n1"), ["cleanup"]);
    await restart(flags);
  });

  describe.each(families)("%s", (family) => {
    test.each(ASKERS)("rows 34-38: %s is seen as that mode has it", async (asker) => {
      for (const row of rows[asker]) {
        if (row[2] !== "silence" && answersPastThisNode(asker, row[1])) continue;
        await expectSource(asker, family, row);
      }
    });
  });

  test("row 38: explain names the mode and says the same", async () => {
    const asked = (["p1a", "client"] as const).flatMap((asker) =>
      families.flatMap((family) => rows[asker].map((row) => ({ asker, family, row }))),
    );
    const lines = asked.map(({ asker, family, row: [, frontend] }) => {
      const { address: dst, port: dport } = targetOf(frontend, family);
      return JSON.stringify({ src: hostOf(lab(), asker).address[family], dst, dport });
    });
    const node = lab().node("n1");
    const output = await run(inNetns(node.netns, portolanLine(node, ["explain", "--batch"])), lines.join("\n"));
    const answers = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers).toHaveLength(asked.length);
    for (const [i, { asker, row }] of asked.entries()) {
      const [, , sees] = row;
      const expected = { verdict: sees === "silence" ? "drop" : "dnat", masquerade: sees === "node" };
      expect({ asker, row, ...answers[i] }).toMatchObject({
        ...expected,
        reason: expect.stringMatching(explained[asker]),
      });
    }
  });

  test("row 34: this node itself reaches endpoints elsewhere", async () => {
    for (const family of families) {
      const result = await clients.get("n1")?.tcp({ ...targetOf([AWAY, "nodePort"], family), count: 2 });
      expect(result).toMatchObject({ pods: { p2b: 2 }, sources: { [lab().node("n1").address[family]]: 2 } });
    }
  });
});

test("row 35: a family without a cluster CIDR has no detector: nobody is a pod, no cluster IP is masqueraded", async () => {
  const { stderr } = await restart(["--cluster-cidr", "fd00:9::/32"]);
  expect(stderr).toContain("ClusterCIDR: local pods are fd00:9::/32, of IPv4 none");
  for (const asker of ASKERS) for (const row of UNTOLD) await expectSource(asker, "v4", row);
  for (const row of POD) await expectSource("p1a", "v6", row);
  for (const row of OUTSIDER) await expectSource("client", "v6", row);
});

test("row 38: NodeCIDR follows the Node's pod ranges, and connections outlive the change", async () => {
  const seen = async (family: Family): Promise<string | undefined> => {
    const result = await clients.get("p1a")?.tcp({ ...targetOf([WEB, "clusterIP"], family), count: 1 });
    return Object.keys(result?.sources ?? {})[0];
  };
  const [pod, node] = [lab().pod("p1a").address, lab().node("n1").address];
  const held = await Promise.all(
    families.map((family) => clients.get("p1a")?.hold(targetOf([WEB, "clusterIP"], family))),
  );
  await restart(["--detect-local-mode", "NodeCIDR"]);
  for (const [podCidrs, source] of [
    [["10.9.1.0/24", "fd00:9:1::/64", "10.9.7.0/24"], pod],
    [["10.9.7.0/24", "fd00:9:7::/64", "10.9.1.0/24"], node],
    [["10.9.1.0/24", "fd00:9:1::/64"], pod],
  ] as const) {
    writeNode(manifests, "n1", {}, podCidrs);
    for (const family of families) {
      await until(
        `p1a is seen as ${source[family]} with ${podCidrs}`,
        async () => (await seen(family)) === source[family],
      );
    }
    for (const connection of held) await connection?.echo();
  }
  for (const row of POD) await expectSource("p1a", "v4", row);
});

test("row 38: NodeCIDR without a Node goes by its last word in this mode, else there is no detector", async () => {
  const nodeCidr = ["--detect-local-mode", "NodeCIDR"];
  writeNode(manifests, "n1", {}, ["10.9.1.0/24", "fd00:9:1::/64"]);
  expect((await restart(nodeCidr)).stderr).toContain("NodeCIDR: local pods are 10.9.1.0/24,fd00:9:1::/64");
  removeService(manifests, "node-n1");
  expect((await restart(nodeCidr)).stderr).toContain("NodeCIDR: no Node n1 is known yet");
  for (const family of families) for (const row of POD) await expectSource("p1a", family, row);
  await restart([]);
  const { stderr } = await restart(nodeCidr);
  expect(stderr).toContain("NodeCIDR: no Node n1 is known yet");
  expect(stderr).toContain("NodeCIDR: local pods are not known, of IPv4 none, of IPv6 none");
  for (const family of families) {
    for (const row of UNTOLD) await expectSource("p1a", family, row);
    await expectSource("client", family, question(35, [WEB, "clusterIP"], "itself"));
  }
});
