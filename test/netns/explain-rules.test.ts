// SPDX-License-Identifier: Apache-2.0
// What `explain` says where rules serve is what real connections meet: endpoint, refusal or silence, and the source that the
// endpoint sees; whoever asks, in both families.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress, Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";

const [WEB, HERE, AWAY, NONE, OFFICE] = [10, 11, 12, 13, 14];
const families = ["v4", "v6"] as const;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
const clients = new Map<string, { readonly host: Host; readonly agent: TrafficAgent }>();
let manifests: string;

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const here = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  const away = [{ address: { v4: "10.9.2.10", v6: "fd00:9:2::10" }, nodeName: "n2" }];
  const policy = (healthCheckNodePort: number) =>
    ({ external: true, externalTrafficPolicy: "Local", healthCheckNodePort }) as const;
  const { v4, v6 } = lab.client.address;
  writeService(manifests, { name: "web", number: WEB, external: true, nodePort: 30_010, endpoints: here });
  writeService(manifests, { name: "here", number: HERE, ...policy(30_511), nodePort: 30_011, endpoints: here });
  writeService(manifests, { name: "away", number: AWAY, ...policy(30_512), nodePort: 30_012, endpoints: away });
  writeService(manifests, { name: "none", number: NONE, external: true, nodePort: 30_013, endpoints: [] });
  const sourceRanges = [`${v4}/32`, `${v6}/128`];
  writeService(manifests, { name: "office", number: OFFICE, external: true, sourceRanges, endpoints: here });
  await lab.serve(lab.pod("p1b"));
  for (const host of [lab.pod("p1a"), lab.pod("p1b"), lab.node("n1"), lab.client]) {
    clients.set(host.name, { host, agent: await lab.agentIn(host) });
  }
});

const at = (kind: "clusterIP" | "externalIP" | "loadBalancer", number: number) => () => serviceAddresses(number)[kind];
const node = (lab: Lab) => lab.node("n1").address;

interface Asked {
  readonly from: string;
  readonly to: string;
  readonly address: (lab: Lab) => DualAddress;
  readonly port?: number;
  /** Of dnat: whether the endpoint sees a node address. */
  readonly expected: "dnat, masqueraded" | "dnat" | "reject" | "drop";
}

const ASKED: readonly Asked[] = [
  { from: "p1a", to: "web", address: at("clusterIP", WEB), expected: "dnat" },
  { from: "p1b", to: "web, itself", address: at("clusterIP", WEB), expected: "dnat, masqueraded" },
  { from: "n1", to: "web", address: at("clusterIP", WEB), expected: "dnat, masqueraded" },
  { from: "client", to: "web", address: at("clusterIP", WEB), expected: "dnat, masqueraded" },
  { from: "client", to: "web's NodePort", address: node, port: 30_010, expected: "dnat, masqueraded" },
  { from: "p1a", to: "web's NodePort", address: node, port: 30_010, expected: "dnat, masqueraded" },
  { from: "client", to: "here's NodePort", address: node, port: 30_011, expected: "dnat" },
  { from: "client", to: "here's external IP", address: at("externalIP", HERE), expected: "dnat" },
  { from: "p1a", to: "here's LoadBalancer", address: at("loadBalancer", HERE), expected: "dnat" },
  { from: "client", to: "away's NodePort", address: node, port: 30_012, expected: "drop" },
  { from: "client", to: "none", address: node, port: 30_013, expected: "reject" },
  { from: "p1a", to: "none", address: at("clusterIP", NONE), expected: "reject" },
  { from: "n1", to: "none", address: at("clusterIP", NONE), expected: "reject" },
  { from: "client", to: "office", address: at("loadBalancer", OFFICE), expected: "dnat, masqueraded" },
  { from: "p1a", to: "office", address: at("loadBalancer", OFFICE), expected: "drop" },
  { from: "p1a", to: "office's ClusterIP", address: at("clusterIP", OFFICE), expected: "dnat" },
];

function clientOf(name: string): { readonly host: Host; readonly agent: TrafficAgent } {
  const found = clients.get(name);
  if (!found) throw new Error(`no client in ${name}`);
  return found;
}

/** All in one process. */
async function explain(family: "v4" | "v6", asked: readonly Asked[]): Promise<readonly Answer[]> {
  const lab = getLab();
  const lines = asked.map(({ from, address, port = 80 }) =>
    JSON.stringify({ src: clientOf(from).host.address[family], dst: address(lab)[family], dport: port }),
  );
  const command = inNetns(lab.node("n1").netns, portolanLine(lab.node("n1"), ["explain", "--batch"]));
  const output = await run(command, lines.join("\n"));
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** In the words of Asked.expected. */
async function met(family: "v4" | "v6", { from, address, port = 80, expected }: Asked): Promise<string> {
  const lab = getLab();
  const { host, agent } = clientOf(from);
  const target = { address: address(lab)[family], port, count: 1, timeoutMs: expected === "drop" ? 1000 : 5000 };
  const { answered, sources, failures } = await agent.tcp(target);
  if (answered === 1) return host.address[family] in sources && host !== lab.node("n1") ? "dnat" : "dnat, masqueraded";
  return "ECONNREFUSED" in failures ? "reject" : "TIMEOUT" in failures ? "drop" : JSON.stringify(failures);
}

describe.each([
  { mode: "nftables", unused: "reject", unallocated: "drop" },
  { mode: "iptables", unused: "pass", unallocated: "pass" },
])("mode $mode", ({ mode, unused, unallocated }) => {
  let agent: LabProcess;
  beforeAll(async () => {
    const flags = ["--devices", "eth0", "--mode", mode, "--service-cidr", "10.96.0.0/24,fd00:10:96::/112"];
    agent = await readyAgent(getLab(), getLab().node("n1"), manifests, { flags });
  });
  afterAll(async () => {
    await agent.stop();
    await portolan(getLab().node("n1"), ["cleanup"]);
  });

  test.each(families)("real connections meet what it says, over IP%s", async (family) => {
    const lab = getLab();
    const answers = await explain(family, ASKED);
    for (const [i, asked] of ASKED.entries()) {
      const { verdict, masquerade, chosen, endpoints } = answers[i] ?? {};
      const what = `${asked.from} to ${asked.to}: ${answers[i]?.reason}`;
      expect.soft(masquerade ? `${verdict}, masqueraded` : verdict, what).toBe(asked.expected);
      expect.soft(await met(family, asked), what).toBe(asked.expected);
      if (verdict !== "dnat") continue;
      const pod = lab.pod("p1b").address[family];
      expect.soft([chosen, endpoints], what).toEqual([`${family === "v6" ? `[${pod}]` : pod}:8080`, [chosen]]);
    }
  });

  test("what no Service has is left, refused or dropped, as the mode does", async () => {
    const verdict = async (to: string) =>
      JSON.parse(await portolan(getLab().node("n1"), ["explain", getLab().pod("p1a").address.v4, to, "-o", "json"]))
        .verdict;
    expect(await verdict("10.96.0.10:81")).toBe(unused);
    expect(await verdict("10.96.0.99:80")).toBe(unallocated);
    expect(await verdict("192.0.2.1:80")).toBe("pass");
  });

  test("for people it names the rules, and the reasons", async () => {
    const said = await portolan(getLab().node("n1"), ["explain", getLab().client.address.v4, "10.96.0.10:80"]);
    expect(said).toContain("a client from outside\n");
    expect(said).toContain("10.96.0.10:80/TCP is a ClusterIP of test/web:tcp\n");
    expect(said).toMatch(
      /Entries: +(?:inet portolan frontends4 10\.96\.0\.10 \. tcp \. 80|nat KUBE-SERVICES -> KUBE-SVC-\w+\n +nat KUBE-SVC-\w+ -> KUBE-SEP-\w+)\n/,
    );
  });

  test("what a pod is told of Services comes from the agent, and what it does not know is said", async () => {
    const lab = getLab();
    const env = await portolan(lab.node("n1"), ["env", "test"]);
    expect(env).toMatch(/^WEB_SERVICE_HOST +10\.96\.0\.10 +test\/web$/m);
    expect(await portolan(lab.node("n1"), ["dns", "web.test.svc.cluster.local"])).toMatch(/ A +10\.96\.0\.10 /);
  });
});
