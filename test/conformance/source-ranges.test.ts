// SPDX-License-Identifier: Apache-2.0
// loadBalancerSourceRanges with real sockets (behaviour rows 44, 45 and 50): whom a Service serves at which address, on
// the wire, with balanced sockets of pods and with those of the node; and what changes when the ranges do.
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, serviceAddresses, writeNode, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const APPLY_ALL = { "portolan.dev/source-ranges-apply": "all" };
const STRICT = { "portolan.dev/source-ranges-policy": "strict" };

function alone(...addresses: readonly DualAddress[]): readonly string[] {
  return addresses.flatMap(({ v4, v6 }) => [`${v4}/32`, `${v6}/128`]);
}

/** p1b is on n1, and serves all of them. */
function services(lab: Lab): readonly ServiceSpec[] {
  const { address, nodeName } = lab.pod("p1b");
  const endpoints = [{ address, nodeName }];
  const client = alone(lab.client.address);
  const [client4 = ""] = client;
  const inside = alone(lab.pod("p1a").address, lab.node("n1").address);
  const external = { external: true } as const;
  const denied = { "portolan.dev/denied-source-ranges": client.join(", ") };
  return [
    { name: "office", number: 1, nodePort: 30201, ...external, endpoints, sourceRanges: client },
    { name: "inside", number: 2, nodePort: 30202, ...external, endpoints, sourceRanges: inside },
    { name: "all", number: 3, nodePort: 30203, ...external, endpoints, sourceRanges: client, annotations: APPLY_ALL },
    { name: "trap", number: 4, ...external, endpoints, sourceRanges: [client4] },
    { name: "strict", number: 5, ...external, endpoints, sourceRanges: [client4], annotations: STRICT },
    { name: "denied", number: 6, ...external, endpoints, annotations: denied },
    { name: "empty", number: 7, ...external, endpoints: [], sourceRanges: inside },
    { name: "changing", number: 8, ...external, endpoints, sourceRanges: client },
  ];
}

type Frontend = "clusterIP" | "nodePort" | "externalIP" | "loadBalancer";

interface Question {
  readonly row: number;
  readonly from: string;
  readonly by: "wire" | "socket";
  readonly service: string;
  readonly frontend: Frontend;
  readonly answer: "served" | "TIMEOUT" | "ECONNREFUSED" | "EACCES";
  readonly families: readonly (keyof DualAddress)[];
}

const question = (
  row: number,
  from: string,
  by: Question["by"],
  service: string,
  frontend: Frontend,
  answer: Question["answer"],
  inFamilies: Question["families"] = families,
): Question => ({ row, from, by, service, frontend, answer, families: inFamilies });

const QUESTIONS: readonly Question[] = [
  question(44, "client", "wire", "office", "loadBalancer", "served"),
  question(44, "p1a", "wire", "office", "loadBalancer", "TIMEOUT"),
  question(44, "b1a", "wire", "office", "loadBalancer", "TIMEOUT"),
  // a pod's balanced socket leaves it to its packets, which are dropped in silence
  question(44, "p1a", "socket", "office", "loadBalancer", "TIMEOUT"),
  question(44, "n1", "socket", "office", "loadBalancer", "EACCES"),
  question(44, "client", "wire", "inside", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "wire", "inside", "loadBalancer", "served"),
  question(44, "p1a", "socket", "inside", "loadBalancer", "served"),
  question(44, "b1a", "socket", "inside", "loadBalancer", "TIMEOUT"),
  question(44, "n1", "socket", "inside", "loadBalancer", "served"),
  // the other frontends serve everybody
  question(44, "client", "wire", "inside", "nodePort", "served"),
  question(44, "client", "wire", "inside", "externalIP", "served"),
  question(44, "p1a", "wire", "office", "nodePort", "served"),
  question(44, "p1a", "socket", "office", "externalIP", "served"),
  question(44, "p1a", "socket", "office", "clusterIP", "served"),
  question(44, "n1", "socket", "office", "nodePort", "served"),
  question(44, "n1", "socket", "office", "clusterIP", "served"),
  // unless the ranges hold for all
  question(44, "client", "wire", "all", "loadBalancer", "served"),
  question(44, "client", "wire", "all", "nodePort", "served"),
  question(44, "client", "wire", "all", "externalIP", "served"),
  question(44, "p1a", "wire", "all", "nodePort", "TIMEOUT"),
  question(44, "p1a", "socket", "all", "externalIP", "TIMEOUT"),
  question(44, "p1a", "socket", "all", "clusterIP", "TIMEOUT"),
  question(44, "n1", "socket", "all", "nodePort", "EACCES"),
  question(44, "n1", "socket", "all", "clusterIP", "EACCES"),
  // each family by itself
  question(45, "p1a", "wire", "trap", "loadBalancer", "TIMEOUT", ["v4"]),
  question(45, "p1a", "wire", "trap", "loadBalancer", "served", ["v6"]),
  question(45, "client", "wire", "trap", "loadBalancer", "served"),
  question(45, "client", "wire", "strict", "loadBalancer", "served", ["v4"]),
  question(45, "client", "wire", "strict", "loadBalancer", "TIMEOUT", ["v6"]),
  question(45, "n1", "socket", "strict", "loadBalancer", "EACCES", ["v6"]),
  question(44, "client", "wire", "denied", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "socket", "denied", "loadBalancer", "served"),
  question(44, "n1", "socket", "denied", "loadBalancer", "served"),
  // whom it does not serve learns nothing of its endpoints
  question(44, "client", "wire", "empty", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "wire", "empty", "loadBalancer", "ECONNREFUSED"),
  question(44, "n1", "socket", "empty", "loadBalancer", "ECONNREFUSED"),
];

describe("source ranges behind a realistic firewall", () => {
  const cluster = useCluster({ firewall: "realistic", services });
  beforeAll(async () => {
    const { lab, manifests } = cluster();
    writeNode(manifests, "n1", {}, [], lab.node("n1").address);
    await lab.serve(lab.pod("p1b"));
    await until("n1 knows its own addresses", async () => {
      const rows = await sources("inside");
      return rows.some(({ range, verdict }) => range === null && verdict === "admit");
    });
  });

  describe.each(families)("%s", (family) => {
    const asked = QUESTIONS.filter((one) => one.families.includes(family));
    test.each(asked)("row $row: $from by $by to $service by $frontend: $answer", async ({ answer, ...one }) => {
      const client = await clientOf(one.by, one.from);
      const many = { ...targetOf(one.service, one.frontend, family), count: 2 };
      if (answer === "served") {
        for (const ask of [client.tcp(many), client.udp(many), client.udp({ ...many, connected: true })]) {
          expect(await ask).toMatchObject({ answered: 2, pods: { p1b: 2 }, failures: {} });
        }
        return;
      }
      // A client so near hears an ICMPv6 error only about its second SYN, a second later.
      const refused = { ...many, timeoutMs: answer === "TIMEOUT" ? 400 : 4000 };
      expect(await client.tcp(refused)).toMatchObject({ answered: 0, failures: { [answer]: 2 } });
      const datagrams = await client.udp({ ...refused, connected: true });
      expect(datagrams).toMatchObject({ answered: 0, failures: { [answer]: 2 } });
    });

    test("row 44: the node's socket is known by the address it is bound to", async () => {
      const { lab } = cluster();
      const node = lab.node("n1");
      const host = await cluster().socket(node);
      const target = { ...targetOf("inside", "loadBalancer", family), count: 2 };
      const bridge = node.bridgeAddress[family].replace(/\/.*/, "");
      expect(await host.tcp({ ...target, localAddress: node.address[family] })).toMatchObject({ answered: 2 });
      expect(await host.tcp({ ...target, localAddress: bridge })).toMatchObject({ failures: { EACCES: 2 } });
    });

    test("row 44: explain names the range that decides, for sockets and for packets", async () => {
      const { lab } = cluster();
      const [p1a, p1b] = [lab.pod("p1a").address[family], lab.pod("p1b").address[family]];
      const vip = targetOf("inside", "loadBalancer", family).address;
      const width = family === "v4" ? 32 : 128;
      expect(await explain(p1a, vip)).toMatchObject({
        verdict: "dnat",
        reason: expect.stringContaining(`source range ${p1a}/${width} admits the client`),
      });
      expect(await explain(p1b, vip, "--socket")).toMatchObject({
        verdict: "drop",
        reason: expect.stringMatching(/leaves source ranges to its packets.*no source range holds the client/),
      });
      expect(await explain(lab.node("n1").address[family], vip)).toMatchObject({ verdict: "dnat", masquerade: true });
      const office = targetOf("office", "loadBalancer", family).address;
      expect(await explain(lab.node("n1").address[family], office)).toMatchObject({ verdict: "drop" });
    });
  });

  test("row 50: ranges change at runtime: connections go on, new ones meet the new ranges", async () => {
    const { lab, manifests } = cluster();
    const spec = services(lab).find(({ name }) => name === "changing");
    if (spec === undefined) throw new Error("no Service changing");
    const [client, pod] = [await clientOf("wire", "client"), await clientOf("socket", "p1a")];
    const targets = families.map((family) => targetOf("changing", "loadBalancer", family));
    const held = await Promise.all(targets.map((target) => client.hold(target)));
    const many = { count: 2, timeoutMs: 400 };
    for (const target of targets)
      expect(await pod.tcp({ ...target, ...many })).toMatchObject({ failures: { TIMEOUT: 2 } });

    writeService(manifests, { ...spec, sourceRanges: alone(lab.pod("p1a").address) });
    const wanted = alone(lab.pod("p1a").address);
    await until("n1 has the new ranges", async () =>
      (await sources("changing"))
        .filter(({ range }) => range !== null)
        .every(({ range }) => wanted.includes(range ?? "")),
    );
    for (const target of targets) {
      expect(await client.tcp({ ...target, ...many })).toMatchObject({ failures: { TIMEOUT: 2 } });
      expect(await pod.tcp({ ...target, count: 2 })).toMatchObject({ answered: 2 });
    }
    for (const connection of held) await connection.echo({ count: 20 });

    writeService(manifests, { ...spec, sourceRanges: [] });
    await until("n1 has no ranges for it", async () => (await sources("changing")).length === 0);
    for (const target of targets) expect(await client.tcp({ ...target, count: 2 })).toMatchObject({ answered: 2 });
    for (const connection of held) {
      await connection.echo({ count: 20 });
      await connection.close();
    }
  });

  test("row 45: the log warns of ranges of one family", () => {
    const log = cluster().agents.get("n1")?.stderr ?? "";
    expect(log).toContain("Service test/trap: spec.loadBalancerSourceRanges has no IPv6 range");
    expect(log).not.toContain("Service test/strict: spec.loadBalancerSourceRanges has no");
  });

  interface SourceRow {
    readonly range: string | null;
    readonly verdict: string;
  }

  async function sources(service: string): Promise<readonly SourceRow[]> {
    return JSON.parse(await portolan(cluster().lab.node("n1"), ["sources", "--service", service, "-o", "json"]));
  }

  async function explain(source: string, vip: string, ...flags: readonly string[]): Promise<unknown> {
    const target = vip.includes(":") ? `[${vip}]:80` : `${vip}:80`;
    return JSON.parse(await portolan(cluster().lab.node("n1"), ["explain", source, target, "-o", "json", ...flags]));
  }

  function clientOf(by: Question["by"], from: string): Promise<TrafficAgent> {
    return cluster()[by](hostOf(cluster().lab, from));
  }

  function targetOf(service: string, frontend: Frontend, family: keyof DualAddress) {
    const { lab } = cluster();
    const spec = services(lab).find(({ name }) => name === service);
    if (spec === undefined) throw new Error(`no Service ${service}`);
    if (frontend === "nodePort") return { address: lab.node("n1").address[family], port: spec.nodePort ?? 0 };
    return { address: serviceAddresses(spec.number)[frontend][family], port: 80 };
  }
});
