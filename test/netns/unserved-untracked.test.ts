// SPDX-License-Identifier: Apache-2.0
// Where netfilter tracks nothing, no datagram is known to begin anything, so none meets silence (behaviour row 46). And
// what passes at an address of a Service's range is direct traffic like any other: it does not share a client port with
// a connection through a Service (clause E1 of the rule of the edge).
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import { type Asker, answersTo, askAll, dropsOf, each } from "../support/askers.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
/** Of the outside client, which is everybody's default gateway. */
const outer = { v4: "10.96.60.7", v6: "fd00:10:96::6007" };
/** A ClusterIP that is served, and also an address of b1b. */
const shared = serviceAddresses(9).clusterIP;

const cluster = useCluster({
  firewall: "none",
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"], bridgedPods: ["b1a", "b1b"] }],
  agentFlags: ["--service-cidr", "10.96.0.0/16,fd00:10:96::/64"],
  prepare: async (lab) => {
    await lab.ip(lab.client, `addr add ${outer.v4}/32 dev lo`, `addr add ${outer.v6}/128 dev lo nodad`);
    const b1b = lab.pod("b1b");
    await lab.ip(b1b, `addr add ${shared.v4}/32 dev eth0`, `addr add ${shared.v6}/128 dev eth0 nodad`);
    for (const host of [lab.node("n1"), lab.pod("b1a")]) {
      const by = (address: string) => (host.name === "n1" ? "dev cni0" : `via ${address}`);
      await lab.ip(host, `route add ${shared.v4}/32 ${by(b1b.address.v4)}`);
      await lab.ip(host, `route add ${shared.v6}/128 ${by(b1b.address.v6)}`);
    }
  },
  services: (lab) => [{ name: "shared", number: 9, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
});
const n1 = (): NodeHost => cluster().lab.node("n1");
const unallocated = () => dropsOf(n1(), "unallocated");

beforeAll(async () => {
  const { lab } = cluster();
  await Promise.all([
    lab.serve(lab.pod("p1b")),
    ...[outer.v4, outer.v6].map((address) => lab.serve(lab.client, { address, name: "outer" })),
    ...[shared.v4, shared.v6].map((address) => lab.serve(lab.pod("b1b"), { address })),
    ...[n1(), lab.pod("p1a"), lab.pod("b1a")].flatMap((host) =>
      families.map((family) => lab.serve(host, { tcp: [9000], address: host.address[family] })),
    ),
  ]);
});

describe.each(families)("over %s", (family) => {
  test("row 46: a connection begins with nobody, while datagrams pass", async () => {
    const askers: readonly Asker[] = [
      ["p1a", "wire"],
      ["b1a", "wire"],
      ["n1", "wire"],
    ];
    const asked = { address: outer[family], port: 8080, count: 1, timeoutMs: 500 };
    const before = unallocated();
    expect(await askAll(cluster(), askers, (client) => client.tcp(asked))).toEqual(each(askers, { TIMEOUT: 1 }));
    expect(unallocated() - before).toBeGreaterThanOrEqual(askers.length);
    expect(await askAll(cluster(), askers, (client) => client.udp({ ...asked, timeoutMs: 2000 }))).toEqual(
      each(askers, { outer: 1 }),
    );
  });

  test("row 46: who asks from an address of the range is answered, by the node and by its pods", async () => {
    const before = unallocated();
    expect(await answersTo(cluster(), outer[family], ["n1", "p1a", "b1a"])).toEqual({
      n1: { tcp: { n1: 3 }, udp: { n1: 3 } },
      p1a: { tcp: { p1a: 3 }, udp: { p1a: 3 } },
      b1a: { tcp: { b1a: 3 }, udp: { b1a: 3 } },
    });
    expect(unallocated()).toBe(before);
  });

  test("row 46: a client port that goes through a Service and past it to the same endpoint is of two connections", async () => {
    const endpoints = [{ address: shared, nodeName: "n1" }];
    await cluster().write({ name: "behind", number: 3, endpoints });
    const client = await cluster().wire(cluster().lab.pod("b1a"));
    const [vip, direct] = [
      { address: serviceAddresses(3).clusterIP[family], port: 80 },
      { address: shared[family], port: 8080 },
    ];
    for (const round of [1, 2]) {
      for (const to of [vip, direct]) {
        const { remotes, failures } = await client.udp({ ...to, localPort: 20_222, count: 1, timeoutMs: 2000 });
        const remote = family === "v4" ? `${to.address}:${to.port}` : `[${to.address}]:${to.port}`;
        expect({ round, remotes, failures }).toEqual({ round, remotes: { [remote]: 1 }, failures: {} });
      }
    }
    const held = await client.hold({ ...vip, localPort: 20_333, timeoutMs: 3000 });
    const beside = await client.hold({ ...direct, localPort: 20_333, timeoutMs: 3000 });
    for (const connection of [held, beside, held, beside]) await connection.echo({ count: 2 });
    expect([held.answer.pod, beside.answer.pod]).toEqual(["b1b", "b1b"]);
    expect(held.answer.peerPort).not.toBe(beside.answer.peerPort);
    await held.close();
    await beside.close();
    await cluster().remove("behind");
    const before = unallocated();
    await until("the range without an endpoint counts again", async () => {
      await client.tcp({ address: outer[family], port: 8080, count: 1, timeoutMs: 200 });
      return unallocated() > before;
    });
  });
});
