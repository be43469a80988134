// SPDX-License-Identifier: Apache-2.0
// Answers made from packets whose checksum the client left to its device (CHECKSUM_PARTIAL), where they leave by a device
// that computes checksums, as on the way to other hosts: TCP's RST and the ICMP error of row 31 arrive.
import { beforeAll, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const cluster = useCluster({ firewall: "realistic" });
const families = ["v4", "v6"] as const;

function spec(number: number, pods: readonly string[], annotations = {}): ServiceSpec {
  const endpoints = pods.map((name) => cluster().lab.pod(name)).map(({ address, nodeName }) => ({ address, nodeName }));
  return { name: `sum${number}`, number, endpoints, annotations };
}

/** What the pod's kernel has counted so far of a protocol in /proc/net/snmp: "Tcp" or "Icmp". */
async function badChecksums(protocol: string): Promise<string | undefined> {
  const text = await cluster().lab.exec(cluster().lab.pod("p1a"), ["cat", "/proc/net/snmp"]);
  const [names, counts] = text.split("\n").filter((line) => line.startsWith(`${protocol}:`));
  return counts?.split(" ")[names?.split(" ").indexOf("InCsumErrors") ?? -1];
}

beforeAll(async () => {
  const { lab } = cluster();
  await lab.serve(lab.pod("p2a"));
  await lab.exec(lab.node("n1"), ["ethtool", "-K", "v_p1a", "tx", "off"]);
  const features = await lab.exec(lab.node("n1"), ["ethtool", "-k", "v_p1a"]);
  expect(features).toMatch(/^tx-checksumming: off$/m);
  expect(await lab.exec(lab.pod("p1a"), ["ethtool", "-k", "eth0"])).toMatch(/^tx-checksumming: on$/m);
});

test("row 31: TCP and UDP to a Service without endpoints are refused", async () => {
  await cluster().write(spec(71, []));
  const client = await cluster().wire(cluster().lab.pod("p1a"));
  for (const family of families) {
    const target = { address: serviceAddresses(71).clusterIP[family], port: 80, count: 1, timeoutMs: 2000 };
    expect((await client.tcp(target)).failures).toEqual({ ECONNREFUSED: 1 });
    expect((await client.udp({ ...target, connected: true })).failures).toEqual({ ECONNREFUSED: 1 });
  }
  expect(await badChecksums("Icmp")).toBe("0");
});

test("row 61: by option, RST reaches the clients of an endpoint that serves no more", async () => {
  const ends = { "portolan.dev/terminate-connections": "true" };
  await cluster().write(spec(72, ["p2a"], ends));
  const client = await cluster().wire(cluster().lab.pod("p1a"));
  const { clusterIP } = serviceAddresses(72);
  const held = await Promise.all(families.map((family) => client.hold({ address: clusterIP[family], port: 80 })));
  await cluster().write(spec(72, ["p1b"], ends));
  for (const connection of held) {
    const fate = () => connection.echo({ timeoutMs: 1000 }).then(() => "OK", String);
    await until("it is reset", async () => (await fate()).includes("ECONNRESET"));
  }
  expect(await badChecksums("Tcp")).toBe("0");
});
