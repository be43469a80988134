// SPDX-License-Identifier: Apache-2.0
// Silence at addresses that no Service has meets only what certainly begins something there, and where there is certainly
// nobody (behaviour row 46): what goes on passes, and what answers, and who only shares a device with the node, and
// addresses that a load balancer or an endpoint has.
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import { run } from "../../src/demo/lab/run.ts";
import { type Asker, answersTo, askAll, clientOf, dropsOf, each } from "../support/askers.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses, writeObjects, writeServiceCidr } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const RANGES = ["10.96.0.0/16", "fd00:10:96::/64"];
const nobodys = serviceAddresses(200).clusterIP;
/** Of the outside client, which is everybody's default gateway. */
const outer = { v4: "10.96.60.7", v6: "fd00:10:96::6007" };
const balancer = { v4: "10.96.61.7", v6: "fd00:10:96::6107" };

const cluster = useCluster({
  firewall: "realistic",
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"], bridgedPods: ["b1a"] }],
  agentFlags: ["--devices", "eth*"],
  prepare: async (lab) => {
    for (const { v4, v6 } of [outer, balancer]) {
      await lab.ip(lab.client, `addr add ${v4}/32 dev lo`, `addr add ${v6}/128 dev lo nodad`);
    }
  },
  services: (lab) => [{ name: "web", number: 1, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
});
const n1 = (): NodeHost => cluster().lab.node("n1");
const unallocated = () => dropsOf(n1(), "unallocated");
const WIRE: readonly Asker[] = [
  ["p1a", "wire"],
  ["b1a", "wire"],
  ["n1", "wire"],
];
const SOCKETS: readonly Asker[] = [
  ["p1a", "socket"],
  ["n1", "socket"],
];
/** Each has a port of its own, alike in all its turns. */
const portOf = ([name]: Asker, family: string) => 20_000 + name.charCodeAt(0) * 10 + (family === "v4" ? 4 : 6);

async function silence(): Promise<void> {
  const client = await clientOf(cluster(), ["p1a", "wire"]);
  await Promise.all(
    families.map((family) =>
      until(`nobody is at ${nobodys[family]}`, async () => {
        const before = unallocated();
        await client.tcp({ address: nobodys[family], port: 80, count: 1, timeoutMs: 200 });
        return unallocated() > before;
      }),
    ),
  );
}

beforeAll(async () => {
  const { lab } = cluster();
  const own = (address: string, name: string) => lab.serve(lab.client, { address, name });
  await Promise.all([
    lab.serve(lab.pod("p1b")),
    ...[outer.v4, outer.v6].map((address) => own(address, "outer")),
    ...[balancer.v4, balancer.v6].map((address) => own(address, "balancer")),
    ...[n1(), lab.pod("p1a"), lab.pod("b1a")].flatMap((host) =>
      families.map((family) => lab.serve(host, { tcp: [9000], address: host.address[family] })),
    ),
  ]);
});

test("row 46: what began before its range counted goes on, and nothing begins any more", async () => {
  const asked = (asker: Asker, family: "v4" | "v6") => ({
    address: outer[family],
    port: 8080,
    localPort: portOf(asker, family),
  });
  const datagrams = async () => {
    const told = WIRE.flatMap((asker) =>
      families.map(async (family) => {
        const client = await clientOf(cluster(), asker);
        const { pods, failures } = await client.udp({ ...asked(asker, family), count: 1, timeoutMs: 2000 });
        return { ...pods, ...failures };
      }),
    );
    return Promise.all(told);
  };
  const answered = WIRE.flatMap(() => families.map(() => ({ outer: 1 })));
  const held = await Promise.all(
    WIRE.flatMap((asker) =>
      families.map(async (family) => (await clientOf(cluster(), asker)).hold(asked(asker, family))),
    ),
  );
  expect(await datagrams()).toEqual(answered);
  writeServiceCidr(cluster().manifests, "kubernetes", RANGES);
  await silence();
  expect(await datagrams()).toEqual(answered);
  for (const connection of held) await connection.echo({ count: 2, timeoutMs: 2000 });
  for (const connection of held) await connection.close();
  const before = unallocated();
  for (const family of families) {
    const begun = { address: outer[family], port: 8080, count: 1, timeoutMs: 300 };
    expect(await askAll(cluster(), WIRE, (client) => client.udp(begun))).toEqual(each(WIRE, { TIMEOUT: 1 }));
    expect(await askAll(cluster(), WIRE, (client) => client.tcp(begun))).toEqual(each(WIRE, { TIMEOUT: 1 }));
  }
  expect(unallocated() - before).toBeGreaterThanOrEqual(4 * WIRE.length);
});

describe.each(families)("over %s", (family) => {
  test("row 46: who asks from an address of the range is answered, by the node and by its pods", async () => {
    const before = unallocated();
    expect(await answersTo(cluster(), outer[family], ["n1", "p1a", "b1a"])).toEqual({
      n1: { tcp: { n1: 3 }, udp: { n1: 3 } },
      p1a: { tcp: { p1a: 3 }, udp: { p1a: 3 } },
      b1a: { tcp: { b1a: 3 }, udp: { b1a: 3 } },
    });
    expect(unallocated()).toBe(before);
  });

  test("row 46: a namespace that shares the uplink (macvlan) has neighbours of its own", async () => {
    const { lab } = cluster();
    const here = family === "v4" ? "10.96.62.5" : "fd00:10:96:0:62::5";
    const there = family === "v4" ? "10.96.62.4" : "fd00:10:96:0:62::4";
    const [bits, flag] = family === "v4" ? [24, ""] : [80, " nodad"];
    const netns = `${lab.plan.id}-mv`;
    await run(["ip", "netns", "add", netns]);
    try {
      await lab.ip(n1(), `link add mv0 link eth0 netns ${netns} type macvlan mode bridge`);
      const pod = { name: "mv", netns, cgroup: n1().cgroup, address: { v4: here, v6: here } };
      await lab.ip(pod, "link set lo up", "link set mv0 up", `addr add ${here}/${bits} dev mv0${flag}`);
      await lab.ip(lab.client, `addr add ${there}/${bits} dev eth0${flag}`);
      await lab.serve(lab.client, { tcp: [8081], address: there, name: "neighbour" });
      const client = await lab.agentIn(pod, { socketBalancing: false });
      const asked = { address: there, port: 8081, count: 2, timeoutMs: 2000 };
      expect((await client.tcp(asked)).pods).toEqual({ neighbour: 2 });
      expect((await client.udp(asked)).pods).toEqual({ neighbour: 2 });
      await client.end();
      await lab.ip(lab.client, `addr del ${there}/${bits} dev eth0`);
    } finally {
      await run(["ip", "netns", "del", netns]);
    }
  });

  test("row 46: one that takes all of an uplink's packets (macvlan passthru) is reached from outside", async () => {
    const { lab } = cluster();
    const [here, there] = family === "v4" ? ["10.96.63.5", "10.96.63.4"] : ["fd00:10:96:0:63::5", "fd00:10:96:0:63::4"];
    const [bits, flag] = family === "v4" ? [24, ""] : [80, " nodad"];
    const netns = `${lab.plan.id}-pt`;
    const card = `eth${family}`;
    const outside = { ...lab.client, netns: lab.plan.switchNetns };
    await run(["ip", "netns", "add", netns]);
    try {
      await lab.ip(outside, `link add ${card} type veth peer name ${card} netns ${n1().netns}`);
      await lab.ip(outside, `link set ${card} master br0 up`);
      await lab.ip(n1(), `link set ${card} up`, `link add pt0 link ${card} netns ${netns} type macvlan mode passthru`);
      await cluster()
        .agents.get("n1")
        ?.waitForOutput(new RegExp(` INFO attached device=${card} roles=uplink\n`));
      const pod = { name: "pt", netns, cgroup: n1().cgroup, address: { v4: here, v6: here } };
      await lab.ip(pod, "link set lo up", "link set pt0 up", `addr add ${here}/${bits} dev pt0${flag}`);
      await lab.ip(lab.client, `addr add ${there}/${bits} dev eth0${flag}`);
      await lab.serve(pod, { tcp: [8081], name: "passthru" });
      const client = await cluster().wire(lab.client);
      const asked = { address: here, port: 8081, count: 2, timeoutMs: 2000 };
      expect((await client.tcp(asked)).pods).toEqual({ passthru: 2 });
      expect((await client.udp(asked)).pods).toEqual({ passthru: 2 });
      await lab.ip(lab.client, `addr del ${there}/${bits} dev eth0`);
    } finally {
      await run(["ip", "netns", "del", netns]);
      await lab.ip(n1(), `link del ${card}`);
    }
  });

  test("rows 26 and 46: an address that a load balancer answers itself (ipMode Proxy) is reached", async () => {
    const { clusterIP } = serviceAddresses(44);
    const object = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "balanced", namespace: "test" },
      spec: {
        type: "LoadBalancer",
        clusterIP: clusterIP[family],
        clusterIPs: [clusterIP[family]],
        ports: [{ name: "tcp", protocol: "TCP", port: 8080 }],
      },
      status: { loadBalancer: { ingress: [{ ip: balancer[family], ipMode: "Proxy" }] } },
    };
    writeObjects(cluster().manifests, "balanced", [object]);
    await cluster().served("balanced", 0);
    const askers = [...WIRE, ...SOCKETS];
    const asked = { address: balancer[family], port: 8080, count: 1, timeoutMs: 5000 }; // the first SYN may be early
    expect(await askAll(cluster(), askers, (client) => client.tcp(asked))).toEqual(each(askers, { balancer: 1 }));
    expect(await askAll(cluster(), askers, (client) => client.udp(asked))).toEqual(each(askers, { balancer: 1 }));
    await cluster().remove("balanced");
  });

  test("row 46: an endpoint in the range is reached, and its range counts again once it has gone", async () => {
    await cluster().write({ name: "outer", number: 4, endpoints: [{ address: outer }] });
    const askers = [...WIRE.filter(([name]) => name !== "n1"), ...SOCKETS];
    const asked = { address: serviceAddresses(4).clusterIP[family], port: 80, count: 2, timeoutMs: 2000 };
    expect(await askAll(cluster(), askers, (client) => client.udp(asked))).toEqual(each(askers, { outer: 2 }));
    expect(await askAll(cluster(), askers, (client) => client.tcp(asked))).toEqual(each(askers, { outer: 2 }));
    await cluster().remove("outer");
    await silence();
  });
});
