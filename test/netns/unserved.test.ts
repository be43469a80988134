// SPDX-License-Identifier: Apache-2.0
// Packets to addresses of Services that nothing serves, with real sockets and ping (behaviour row 46), and a ClusterIP
// that an interface of the node has (NodeLocal DNSCache).
import { beforeAll, describe, expect, test } from "vitest";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses, writeServiceCidr } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const served = serviceAddresses(1);
const nobodys = serviceAddresses(200).clusterIP;
const dns = serviceAddresses(10).clusterIP;

const cluster = useCluster({
  firewall: "realistic",
  services: (lab) => [
    { name: "web", number: 1, external: true, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] },
    { name: "dns", number: 10, endpoints: [{ address: lab.pod("p2a").address, nodeName: "n2" }] },
  ],
});
const clientOf = (name: string, by: "wire" | "socket"): Promise<TrafficAgent> =>
  cluster()[by](hostOf(cluster().lab, name));

/** Counts of one drop reason on n1. */
async function drops(reason: string): Promise<number> {
  const listed: readonly { reason: string; count: number }[] = JSON.parse(
    await portolan(cluster().lab.node("n1"), ["drops", "-o", "json"]),
  );
  return listed.find((row) => row.reason === reason)?.count ?? Number.NaN;
}

beforeAll(async () => {
  const { lab, manifests } = cluster();
  await Promise.all([lab.serve(lab.pod("p1b")), lab.serve(lab.pod("p2a"))]);
  writeServiceCidr(manifests, "kubernetes", ["10.96.0.0/16", "fd00:10:96::/64"]);
  const explain = ["explain", "192.168.50.10", `${nobodys.v4}:80`, "-o", "json"];
  await until("the range counts", async () => (await portolan(lab.node("n1"), explain)).includes("drop"));
});

describe.each(families)("what nothing serves over %s", (family) => {
  const target = { count: 2, timeoutMs: 4000 };
  const refused = { answered: 0, failures: { ECONNREFUSED: 2 } };

  test.each([
    ["p1a", "wire"],
    ["b1a", "wire"],
    ["client", "wire"],
    ["p1a", "socket"],
    ["n1", "socket"],
  ] as const)("row 46: %s by %s is refused at an unused port of a ClusterIP, and counted", async (from, by) => {
    const client = await clientOf(from, by);
    const before = await drops("unused_port");
    expect(await client.tcp({ ...target, address: served.clusterIP[family], port: 81 })).toMatchObject(refused);
    expect(await drops("unused_port")).toBeGreaterThanOrEqual(before + 2);
    if (from === "n1") return; // connected datagrams of the host pass no hook
    const datagrams = { ...target, address: served.clusterIP[family], port: 81, connected: true };
    expect(await client.udp(datagrams)).toMatchObject(refused);
    expect(await client.tcp({ ...target, address: served.clusterIP[family], port: 80 })).toMatchObject({ answered: 2 });
  });

  test.each([
    ["p1a", "wire", "TIMEOUT"],
    ["client", "wire", "TIMEOUT"],
    ["p1a", "socket", "EHOSTUNREACH"],
    ["n1", "socket", "EHOSTUNREACH"],
  ] as const)("row 46: %s by %s meets silence at an address that no Service has: %s", async (from, by, failure) => {
    const client = await clientOf(from, by);
    const before = await drops("unallocated");
    const asked = { address: nobodys[family], port: 80, count: 2, timeoutMs: 400 };
    expect(await client.tcp(asked)).toMatchObject({ answered: 0, failures: { [failure]: 2 } });
    expect(await drops("unallocated")).toBeGreaterThanOrEqual(before + 2);
  });

  test("row 46: ping of a ClusterIP says that it is no host", async () => {
    const { lab } = cluster();
    const ping = (address: string) => ["sh", "-c", `ping -n -c 1 -W 3 ${address} || true`];
    const unreachable = family === "v4" ? "Destination Port Unreachable" : "Destination unreachable: Port unreachable";
    expect(await lab.exec(lab.pod("p1a"), ping(served.clusterIP[family]))).toContain(
      `From ${served.clusterIP[family]} icmp_seq=1 ${unreachable}`,
    );
    expect(await lab.exec(lab.pod("p1a"), ping(nobodys[family]))).toContain("1 packets transmitted, 0 received");
  });

  test("row 46: explain says why", async () => {
    const explain = async (address: string, ...more: readonly string[]) => {
      const to = family === "v4" ? `${address}:81` : `[${address}]:81`;
      const from = cluster().lab.pod("p1a").address[family];
      return JSON.parse(await portolan(cluster().lab.node("n1"), ["explain", from, to, "-o", "json", ...more]));
    };
    const unused = { verdict: "reject", service: null, reason: expect.stringContaining("not this port or protocol") };
    expect(await explain(served.clusterIP[family])).toMatchObject(unused);
    expect(await explain(served.clusterIP[family], "--socket")).toMatchObject(unused);
    expect(await explain(nobodys[family])).toMatchObject({ verdict: "drop", service: null });
    expect(await explain(served.externalIP[family])).toMatchObject({ verdict: "pass" });
  });
});

describe.each(families)("a ClusterIP on an interface of the node over %s", (family) => {
  const askers = [
    ["p1a", "wire"],
    ["b1a", "wire"],
    ["p1a", "socket"],
    ["n1", "socket"],
  ] as const;

  /** Who answers new connections and datagrams. */
  async function answers(from: string, by: "wire" | "socket"): Promise<readonly string[]> {
    const client = await clientOf(from, by);
    const many = { address: dns[family], port: 80, count: 4, timeoutMs: 2000 };
    const results = [await client.tcp(many), await client.udp(many), await client.udp({ ...many, connected: true })];
    return results.flatMap(({ pods, failures }) => [...Object.keys(pods), ...Object.keys(failures)]);
  }

  test("is left to it as it comes, and served again when it goes", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    const address = `${dns[family]}/${family === "v4" ? 32 : 128}`;
    for (const [from, by] of askers) expect(await answers(from, by)).toEqual(["p2a", "p2a", "p2a"]);
    await lab.ip(node, `addr add ${address} dev lo${family === "v6" ? " nodad" : ""}`);
    const listener = await lab.serve(node, { tcp: [80], udp: [80], address: dns[family], name: "node-local" });
    for (const [from, by] of askers) {
      await until(`${from} by ${by} is answered by the node`, async () =>
        (await answers(from, by)).includes("node-local"),
      );
      expect(await answers(from, by)).toEqual(["node-local", "node-local", "node-local"]);
    }
    const before = await drops("unused_port");
    const client = await clientOf("p1a", "wire");
    const other = { address: dns[family], port: 81, count: 1, timeoutMs: 4000 };
    expect(await client.tcp(other)).toMatchObject({ failures: { ECONNREFUSED: 1 } }); // the kernel's own word
    expect(await drops("unused_port")).toBe(before);
    await listener.stop();
    await lab.ip(node, `addr del ${address} dev lo`);
    for (const [from, by] of askers) {
      await until(`${from} by ${by} is answered by the Service`, async () => (await answers(from, by)).includes("p2a"));
    }
  });
});
