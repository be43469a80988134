// SPDX-License-Identifier: Apache-2.0
// The rules of iptables mode beside those of the real kube-proxy: both know the same objects of one API server and take themselves for
// the same node; then chain by chain and rule by rule the same is there, but for a written list.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { type Endpoint, type ServiceSpec, serviceObjects } from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { changeEndpoints, create, useApiCluster } from "./support/api-cluster.ts";
import { startKubeProxy } from "./support/kube-proxy.ts";

const world = useApiCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
  agents: [],
});
/** As kube-proxy: its pods, its mark, and the same node. */
const FLAGS = ["--mode", "iptables", "--node-name", "n1", "--masquerade-bit", "14"];
const LOCAL = ["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.9.0.0/16,fd00:9::/32"];
const FORWARD_MARK = "0x20000000";

const DRAINING = { ready: false, serving: true, terminating: true };

function services(): readonly ServiceSpec[] {
  const { lab } = world().cluster;
  const at = (name: string, conditions?: Endpoint["conditions"]): Endpoint => {
    const { address, nodeName } = lab.pod(name);
    return { address, nodeName, ...(conditions && { conditions }) };
  };
  const here = [at("p1a"), at("p1b")];
  const both = [...here, at("p2a")];
  const local = { externalTrafficPolicy: "Local", external: true } as const;
  const ranges = ["192.168.50.0/24", "10.9.1.10/32", "fd00:50::/64"];
  return [
    { name: "plain", number: 11, endpoints: both },
    {
      name: "external",
      number: 12,
      external: true,
      nodePort: 30_112,
      endpoints: both,
      protocols: ["TCP", "UDP", "SCTP"],
    },
    { name: "local", number: 13, ...local, nodePort: 30_113, healthCheckNodePort: 30_913, endpoints: both },
    { name: "elsewhere", number: 14, ...local, nodePort: 30_114, healthCheckNodePort: 30_914, endpoints: [at("p2a")] },
    { name: "nobody", number: 15, external: true, nodePort: 30_115, endpoints: [] },
    { name: "internal", number: 16, internalTrafficPolicy: "Local", endpoints: both },
    { name: "internal-elsewhere", number: 17, internalTrafficPolicy: "Local", endpoints: [at("p2a")] },
    { name: "ranged", number: 18, external: true, sourceRanges: ranges, endpoints: both },
    { name: "ranged-nobody", number: 19, external: true, sourceRanges: ranges, endpoints: [] },
    { name: "sticky", number: 20, external: true, nodePort: 30_120, affinitySeconds: 600, endpoints: both },
    { name: "ending", number: 21, endpoints: [at("p1a", DRAINING), at("p2a", DRAINING)] },
    { name: "ending-local", number: 22, ...local, endpoints: [at("p1a", DRAINING), at("p2a")] },
  ];
}

let kubeProxy: LabProcess | undefined;
let agent: LabProcess | undefined;

beforeAll(async () => {
  const { cluster, plane } = world();
  for (const spec of services()) {
    await create(plane, spec);
    const [object] = serviceObjects(spec);
    if (object?.status !== undefined) await plane.api.patch(object, { status: object.status }, "/status");
  }
  kubeProxy = startKubeProxy(cluster.lab, cluster.lab.node("n1"), plane.kubeconfig("system:kube-proxy"), "iptables");
  agent = await cluster.startAgent("n2", [...FLAGS, ...LOCAL]);
});
afterAll(() => Promise.all([kubeProxy?.stop(), agent?.stop()]));

type Family = "iptables" | "ip6tables";

/** `nat KUBE-SERVICES -d ...`, one for each rule of the node, in order; chains without rules by their names alone. */
async function rules(node: NodeHost, family: Family): Promise<readonly string[]> {
  const lists = await Promise.all(
    ["nat", "filter"].map(async (table) => {
      const listed = await world().cluster.lab.exec(node, [`${family}-nft`, "-t", table, "-S"]);
      return listed.split("\n").map((line) => `${table} ${line}`);
    }),
  );
  return lists.flat().filter((line) => /^(?:nat|filter) -[NA] .*(?:KUBE|PORTOLAN)/.test(line));
}

const STATISTIC = / -m statistic --mode random --probability \S+/;

/**
 * Without the order of rules, which is no different thing to a packet: all that share a chain exclude each other. Endpoints stand
 * in any order, so which of them has which probability is not compared, but that the same probabilities are there.
 */
function comparable(lines: readonly string[]): readonly string[] {
  return lines
    .flatMap((line) => {
      const [drawn] = STATISTIC.exec(line) ?? [];
      const [, chain] = /^nat -A (KUBE-SV[CL]-\S+)/.exec(line) ?? [];
      if (chain === undefined || !line.includes("-j KUBE-SEP-") || / -m (?:recent|set) /.test(line)) return [line];
      return [line.replace(STATISTIC, ""), `nat -A ${chain}${drawn ?? " the rest"}`];
    })
    .sort();
}

interface Known {
  readonly what: string;
  /** Absent: of both. */
  readonly family?: Family;
  /** Of ours, and what a rule of theirs is to be equal to one of ours; undefined: it has none. */
  readonly ours?: (line: string) => string | undefined;
  readonly theirs?: (line: string) => string | undefined;
}

const COUNTED = / -m nfacct --nfacct-name +ct_state_invalid_dropped_pkts/;

const without = (pattern: RegExp) => (line: string) => (pattern.test(line) ? undefined : line);

/** Every difference there is. */
const DIFFERENCES: readonly Known[] = [
  { what: "each has a canary of its own", ours: without(/PORTOLAN-CANARY/), theirs: without(/KUBE-PROXY-CANARY/) },
  {
    what: "what we translate has a mark, for a FORWARD chain that drops (row 42)",
    ours: without(new RegExp(`^nat -A KUBE-SV[CL]-\\S+ -j MARK --set-xmark ${FORWARD_MARK}/${FORWARD_MARK}$`)),
  },
  {
    what: "the node is refused addresses elsewhere without endpoints, too (row 31)",
    ours: without(/^filter -A OUTPUT .* -j KUBE-EXTERNAL-SERVICES$/),
  },
  {
    what: "source ranges hold without endpoints, too (row 44)",
    ours: without(/PORTOLAN-FW-/),
  },
  {
    what: "clients of affinity are kept in sets, beyond a hundred (row 53)",
    ours: (line) =>
      / -j SET --add-set PORTOLAN-/.test(line)
        ? undefined
        : line.replace(/-m set --match-set PORTOLAN-\d-(\S+) src/, "-m recent KUBE-SEP-$1"),
    theirs: (line) =>
      line
        .replace(/-m recent --rcheck --seconds 600 --reap --name (\S+) --mask \S+ --rsource/, "-m recent $1")
        .replace(/ -m recent --set --name \S+ --mask \S+ --rsource/, ""),
  },
  {
    what: "nothing is counted by nfacct (rows 30 and 43)",
    theirs: (line) => (line.includes("localhost_nps_accepted_pkts") ? undefined : line.replace(COUNTED, "")),
  },
  {
    what: "KUBE-FIREWALL, which is the kubelet's, is there only where NodePorts are served at localhost",
    family: "ip6tables",
    ours: without(/KUBE-FIREWALL/),
    theirs: without(/KUBE-FIREWALL/),
  },
];

function same(
  lines: readonly string[],
  side: "ours" | "theirs",
  known: readonly Known[] = DIFFERENCES,
): readonly string[] {
  const apply = (line: string | undefined, one: Known) => (line === undefined ? line : (one[side] ?? ((x) => x))(line));
  return comparable(lines.flatMap((line) => known.reduce<string | undefined>(apply, line) ?? []));
}

async function compared(family: Family, known?: readonly Known[]) {
  const { lab } = world().cluster;
  const [theirs, ours] = await Promise.all([rules(lab.node("n1"), family), rules(lab.node("n2"), family)]);
  return { theirs: same(theirs, "theirs", known), ours: same(ours, "ours", known) };
}

describe.each(["iptables", "ip6tables"] as const)("%s", (family) => {
  const agree = (what: string) =>
    until(what, async () => {
      const { theirs, ours } = await compared(family);
      return theirs.length > 0 && JSON.stringify(theirs) === JSON.stringify(ours);
    }).catch(async () => {
      const { theirs, ours } = await compared(family);
      expect(ours).toEqual(theirs);
    });

  test("has kube-proxy's rules, chain by chain", async () => {
    await agree("the same rules");
    const { ours } = await compared(family);
    expect(ours.length).toBeGreaterThan(100);
    expect(ours.filter((line) => /KUBE-FW-\S+ -s /.test(line)).length).toBeGreaterThan(0);
  });

  test("and after changes of endpoints, to none and from none", async () => {
    const { plane } = world();
    const specs = services();
    const [first, second] = family === "iptables" ? [specs[1], specs[4]] : [specs[4], specs[1]];
    if (!first || !second) throw new Error("no such Services");
    await changeEndpoints(plane, { ...first, endpoints: [] });
    await changeEndpoints(plane, { ...second, endpoints: specs[0]?.endpoints ?? [] });
    await agree("the same rules after changes");
  });

  test("each difference in the list is one", async () => {
    const vain: string[] = [];
    for (const one of DIFFERENCES.filter((known) => (known.family ?? family) === family)) {
      const { theirs, ours } = await compared(
        family,
        DIFFERENCES.filter((other) => other !== one),
      );
      if (JSON.stringify(theirs) === JSON.stringify(ours)) vain.push(one.what);
    }
    expect(vain).toEqual([]);
  });
});
