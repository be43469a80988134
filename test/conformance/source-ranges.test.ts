// SPDX-License-Identifier: Apache-2.0
// loadBalancerSourceRanges with real sockets (behaviour rows 44, 45 and 50): whom a Service serves at which address, on
// the wire, with balanced sockets of pods and with those of the node; and what changes when the ranges do.
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import { patience } from "../support/guest.ts";
import { type ServiceSpec, writeNode, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { askRows, clientOf, families, type Question, question, targetOf } from "./ask.ts";
import { useDriver } from "./driver.ts";

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

const SERVED = ["p1b"];

const QUESTIONS: readonly Question[] = [
  question(44, "client", "wire", "office", "loadBalancer", SERVED, "node"),
  question(44, "p1a", "wire", "office", "loadBalancer", "TIMEOUT"),
  question(44, "b1a", "wire", "office", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "socket", "office", "loadBalancer", "TIMEOUT"),
  question(44, "n1", "socket", "office", "loadBalancer", "TIMEOUT"),
  question(44, "client", "wire", "inside", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "wire", "inside", "loadBalancer", SERVED, "node"),
  question(44, "p1a", "socket", "inside", "loadBalancer", SERVED, "node"),
  question(44, "b1a", "socket", "inside", "loadBalancer", "TIMEOUT"),
  question(44, "n1", "socket", "inside", "loadBalancer", SERVED, "node"),
  // the other frontends serve everybody
  question(44, "client", "wire", "inside", "nodePort", SERVED, "node"),
  question(44, "client", "wire", "inside", "externalIP", SERVED, "node"),
  question(44, "p1a", "wire", "office", "nodePort", SERVED, "node"),
  question(44, "p1a", "socket", "office", "externalIP", SERVED, "node"),
  question(44, "p1a", "socket", "office", "clusterIP", SERVED, "asker"),
  question(44, "n1", "socket", "office", "nodePort", SERVED, "node"),
  question(44, "n1", "socket", "office", "clusterIP", SERVED, "node"),
  // unless the ranges hold for all
  question(44, "client", "wire", "all", "loadBalancer", SERVED, "node"),
  question(44, "client", "wire", "all", "nodePort", SERVED, "node"),
  question(44, "client", "wire", "all", "externalIP", SERVED, "node"),
  question(44, "p1a", "wire", "all", "nodePort", "TIMEOUT"),
  question(44, "p1a", "socket", "all", "externalIP", "TIMEOUT"),
  question(44, "p1a", "socket", "all", "clusterIP", "TIMEOUT"),
  question(44, "n1", "socket", "all", "nodePort", "TIMEOUT"),
  question(44, "n1", "socket", "all", "clusterIP", "TIMEOUT"),
  // each family by itself
  question(45, "p1a", "wire", "trap", "loadBalancer", "TIMEOUT", "asker", ["v4"]),
  question(45, "p1a", "wire", "trap", "loadBalancer", SERVED, "node", ["v6"]),
  question(45, "client", "wire", "trap", "loadBalancer", SERVED, "node"),
  question(45, "client", "wire", "strict", "loadBalancer", SERVED, "node", ["v4"]),
  question(45, "client", "wire", "strict", "loadBalancer", "TIMEOUT", "asker", ["v6"]),
  question(45, "n1", "socket", "strict", "loadBalancer", "TIMEOUT", "asker", ["v6"]),
  question(44, "client", "wire", "denied", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "socket", "denied", "loadBalancer", SERVED, "node"),
  question(44, "n1", "socket", "denied", "loadBalancer", SERVED, "node"),
  // whom it does not serve learns nothing of its endpoints
  question(44, "client", "wire", "empty", "loadBalancer", "TIMEOUT"),
  question(44, "p1a", "wire", "empty", "loadBalancer", "ECONNREFUSED"),
  question(44, "n1", "socket", "empty", "loadBalancer", "ECONNREFUSED"),
];

describe("source ranges behind a realistic firewall", () => {
  const cluster = useDriver({ firewall: "realistic", services });
  askRows(cluster, services, QUESTIONS);

  beforeAll(async () => {
    const { lab, manifests } = cluster();
    writeNode(manifests, "n1", {}, [], lab.node("n1").address);
    const host = await clientOf(cluster(), { by: "socket", from: "n1" });
    for (const family of families) {
      await until("n1 knows its own addresses", async () => (await host.tcp(once("inside", family))).answered === 1);
    }
  });

  describe.each(families)("%s", (family) => {
    test("row 44: the node's socket is known by the address it is bound to", async () => {
      const { lab } = cluster();
      const node = lab.node("n1");
      const host = await cluster().socket(node);
      const target = { ...once("inside", family), count: 2 };
      const bridge = node.bridgeAddress[family].replace(/\/.*/, "");
      expect(await host.tcp({ ...target, localAddress: node.address[family] })).toMatchObject({ answered: 2 });
      expect(await host.tcp({ ...target, localAddress: bridge })).toMatchObject({ answered: 0 });
    });
  });

  test("row 50: ranges change at runtime: connections go on, new ones meet the new ranges", async () => {
    const { lab, manifests } = cluster();
    const spec = services(lab).find(({ name }) => name === "changing");
    if (spec === undefined) throw new Error("no Service changing");
    const client = await clientOf(cluster(), { by: "wire", from: "client" });
    const pod = await clientOf(cluster(), { by: "socket", from: "p1a" });
    const asked = { service: "changing", frontend: "loadBalancer" } as const;
    const targets = families.map((family) => targetOf(lab, services, asked, family));
    const held = await Promise.all(targets.map((target) => client.hold(target)));
    const many = { count: 2, timeoutMs: patience(400) };
    for (const target of targets)
      expect(await pod.tcp({ ...target, ...many })).toMatchObject({ failures: { TIMEOUT: 2 } });

    writeService(manifests, { ...spec, sourceRanges: alone(lab.pod("p1a").address) });
    for (const family of families) {
      await until("n1 has the new ranges", async () => (await client.tcp(once("changing", family))).answered === 0);
    }
    for (const target of targets) {
      expect(await client.tcp({ ...target, ...many })).toMatchObject({ failures: { TIMEOUT: 2 } });
      expect(await pod.tcp({ ...target, count: 2 })).toMatchObject({ answered: 2 });
    }
    for (const connection of held) await connection.echo({ count: 20 });

    writeService(manifests, { ...spec, sourceRanges: [] });
    for (const family of families) {
      await until("n1 has no ranges for it", async () => (await client.tcp(once("changing", family))).answered === 1);
    }
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

  /** One request to its load balancer address, which is met or not within a moment. */
  function once(service: string, family: keyof DualAddress) {
    return {
      ...targetOf(cluster().lab, services, { service, frontend: "loadBalancer" }, family),
      count: 1,
      timeoutMs: patience(400),
    };
  }
});
