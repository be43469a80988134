// SPDX-License-Identifier: Apache-2.0
// Cluster DNS of two real CoreDNS behind a ClusterIP, asked by a pod over UDP and TCP, in both families: what it answers is
// what `portolan dns` says, and one of the two may be killed.
import { beforeAll, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan } from "../../src/demo/portolan.ts";
import type { DnsRow, EnvRow } from "../../src/inspect/rows.ts";
import type { KubeObject, ServiceSpec } from "../support/manifests.ts";
import { changeEndpoints, create, useApiCluster } from "./support/api-cluster.ts";
import { DnsClient, startCoreDns } from "./support/dns.ts";

const SERVER = { v4: "10.96.0.53", v6: "fd00:10:96::53" };
const ZONE = "svc.cluster.local.";
const world = useApiCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
});

let servers: ReadonlyMap<string, LabProcess> = new Map();
/** Of a pod, whose sockets are balanced, and whose packets are. */
let clients: readonly DnsClient[] = [];

/** The Service of those CoreDNS. */
function dns(...pods: readonly string[]): ServiceSpec {
  const { lab } = world().cluster;
  const endpoints = pods.map((name) => ({
    address: lab.pod(name).address,
    nodeName: lab.pod(name).nodeName,
    port: 53,
  }));
  return { name: "dns", number: 53, port: 53, endpoints };
}

function service(name: string, spec: object): KubeObject {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "test" }, spec };
}

function slice(of: string, addressType: string, endpoints: readonly object[]): KubeObject {
  const labels = { "kubernetes.io/service-name": of, "service.kubernetes.io/headless": "" };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${of}-${addressType.toLowerCase()}`, namespace: "test", labels },
    addressType,
    ports: [{ name: "sql", protocol: "TCP", port: 15432 }],
    endpoints,
  };
}

const ready = { ready: true };
const OBJECTS: readonly KubeObject[] = [
  service("one", { clusterIP: "10.96.0.71", ports: [{ port: 80 }] }),
  service("two", {
    ...{ clusterIP: "fd00:10:96::72", clusterIPs: ["fd00:10:96::72", "10.96.0.72"] },
    ...{ ipFamilies: ["IPv6", "IPv4"], ipFamilyPolicy: "RequireDualStack" },
    ports: [
      { name: "https", port: 443 },
      { name: "dns-udp", port: 53, protocol: "UDP" },
    ],
  }),
  service("db", { clusterIP: "None", ipFamilyPolicy: "RequireDualStack", ports: [{ name: "sql", port: 5432 }] }),
  slice("db", "IPv4", [
    { addresses: ["198.51.100.1"], hostname: "db-0", conditions: ready },
    { addresses: ["198.51.100.2"], conditions: ready },
    { addresses: ["198.51.100.3"], hostname: "db-2", conditions: { ready: false } },
  ]),
  slice("db", "IPv6", [{ addresses: ["2001:db8:51::"], conditions: ready }]),
  service("outside", { type: "ExternalName", externalName: "db.example.com" }),
];

beforeAll(async () => {
  const { cluster, plane } = world();
  await create(plane, dns("p1b", "p2a"));
  for (const object of OBJECTS) await plane.api.create(object);
  const kubeconfig = plane.kubeconfig("admin");
  const start = (name: string) => [name, startCoreDns(cluster.lab, cluster.lab.pod(name), kubeconfig)] as const;
  servers = new Map(["p1b", "p2a"].map(start));
  const pod = cluster.lab.pod("p1a");
  clients = [
    await DnsClient.start(cluster.lab, pod),
    await DnsClient.start(cluster.lab, pod, { socketBalancing: false }),
  ];
  const name = `outside.test.${ZONE}`;
  for (const one of ["p1b", "p2a"]) {
    await clients[0]?.known({ server: cluster.lab.pod(one).address.v4, name, type: "CNAME" });
  }
  for (const client of clients) {
    for (const server of Object.values(SERVER)) await client.known({ server, name, type: "CNAME" });
  }
});

async function asked(...args: readonly string[]) {
  const { cluster, plane } = world();
  const line = [...args, "--kubeconfig", plane.kubeconfig("portolan"), "-o", "json"];
  return JSON.parse(await portolan(cluster.lab.node("n1"), line));
}

test("every record of `portolan dns` is what CoreDNS answers for its name and type, by UDP and by TCP, at its ClusterIPs", async () => {
  const rows: readonly DnsRow[] = await asked("dns");
  expect(rows.length).toBeGreaterThan(25);
  const byName = new Map<string, DnsRow[]>();
  for (const row of rows)
    byName.set(`${row.name} ${row.type}`, [...(byName.get(`${row.name} ${row.type}`) ?? []), row]);
  for (const [i, [key, expected]] of [...byName].entries()) {
    const [name = "", type = ""] = key.split(" ");
    const server = i % 2 === 0 ? SERVER.v4 : SERVER.v6;
    for (const client of clients) {
      for (const tcp of [false, true]) {
        const { records } = await client.ask({ server, name, type, tcp });
        const values = records.filter((record) => record.type === type).map(({ value }) => value);
        expect([key, tcp, values.sort()]).toEqual([key, tcp, expected.map(({ value }) => value).sort()]);
      }
    }
  }
});

test("CoreDNS's whole zone has no name for Services that `portolan dns` lacks", async () => {
  const rows: readonly DnsRow[] = await asked("dns");
  const zone = await clients[0]?.ask({ server: SERVER.v4, name: "cluster.local.", type: "AXFR", tcp: true });
  const text = ({ name, type, value }: { name: string; type: string; value: string }) =>
    `${name} ${type} ${type === "SRV" ? value.replace(/^0 \d+ /, "") : value}`;
  // Beside the specification's, a transfer has SRV records by the Service's own name.
  const theirs = (zone?.records ?? []).filter(
    ({ name, type }) => name.endsWith(ZONE) && (type !== "SRV" || name.startsWith("_")),
  );
  const ours = rows.filter(({ name }) => name.endsWith(ZONE));
  expect([...new Set(theirs.map(text))].sort()).toEqual(ours.map(text).sort());
});

test("a name that `portolan dns` does not find is NXDOMAIN there", async () => {
  await expect(asked("dns", "db-2.db.test")).rejects.toThrow("db-2.db.test: no such record");
  expect(await clients[0]?.ask({ server: SERVER.v4, name: `db-2.db.test.${ZONE}`, type: "A" })).toMatchObject({
    status: 3,
    records: [],
  });
});

test("env takes a Service's first family and port from the API server", async () => {
  const rows: readonly EnvRow[] = await asked("env", "test");
  const value = (name: string) => rows.find((row) => row.name === name)?.value;
  expect(value("TWO_SERVICE_HOST")).toBe("fd00:10:96::72");
  expect(value("TWO_PORT")).toBe("tcp://[fd00:10:96::72]:443");
  expect(value("ONE_SERVICE_PORT")).toBe("80");
  expect(rows.some(({ name }) => /^(DB|OUTSIDE)_/.test(name))).toBe(false);
});

test("one CoreDNS is killed: a resolver that asks again has its answers, and once the slices say it each question has its own", async () => {
  const { plane } = world();
  const name = `one.test.${ZONE}`;
  /** How many questions were asked until each of many was answered, of every client at each address. */
  const tries = async (times: number) => {
    let most = 0;
    for (let i = 0; i < times; i++) {
      const server = i % 2 === 0 ? SERVER.v4 : SERVER.v6;
      for (const client of clients) {
        let count = 1;
        const question = { server, name, type: "A", tcp: i % 4 > 1, timeoutMs: 1000 };
        while (!(await client.ask(question).catch(() => undefined))) {
          if (++count > 50) throw new Error(`${name} is not answered at ${server}`);
        }
        most = Math.max(most, count);
      }
    }
    return most;
  };
  expect(await tries(20)).toBe(1);
  const asking = tries(150);
  const victim = servers.get("p1b");
  process.kill(victim?.pid ?? 0, "SIGKILL");
  await victim?.exited;
  expect(await tries(20)).toBeLessThan(50);
  await changeEndpoints(plane, dns("p2a"));
  await asking;
  await expect.poll(() => tries(20), { timeout: 30_000 }).toBe(1);
  expect(await tries(60)).toBe(1);
});
