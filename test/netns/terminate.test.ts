// SPDX-License-Identifier: Apache-2.0
// Connections that are open while their endpoint stops serving: those of a Service that asks for it are ended, on the
// wire and on sockets, and no others (row 61 of the behaviour contract).
import { beforeAll, describe, expect, test } from "vitest";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { type Endpoint, type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const DRAINING = { ready: false, serving: true, terminating: true };
const families = ["v4", "v6"] as const;
/** Masqueraded or not, at home or away; "wire": its packets are translated, "socket": its connect(). */
const CLIENTS = [
  { from: "client", by: "wire", frontend: "nodePort" },
  { from: "p1a", by: "wire", frontend: "clusterIP" },
  { from: "p1a", by: "socket", frontend: "clusterIP" },
  { from: "n1", by: "socket", frontend: "nodePort" },
] as const;

const cluster = useCluster({ firewall: "realistic" });

beforeAll(async () => {
  for (const name of ["p1b", "p2a"]) await cluster().lab.serve(cluster().lab.pod(name));
});

function spec(number: number, ends: boolean, pods: Readonly<Record<string, Endpoint["conditions"]>>): ServiceSpec {
  const endpoints = Object.entries(pods).map(([name, conditions]) => {
    const { address, nodeName } = cluster().lab.pod(name);
    return { address, nodeName, ...(conditions === undefined ? {} : { conditions }) };
  });
  const annotations = ends ? { "portolan.dev/terminate-connections": "true" } : {};
  return { name: `end${number}`, number, nodePort: 30_000 + number, annotations, endpoints };
}

/** One open connection for each client and family, all to p2a. */
async function open(number: number): Promise<readonly (HeldConnection & { readonly by: "wire" | "socket" })[]> {
  const { lab } = cluster();
  const { clusterIP } = serviceAddresses(number);
  const connections = CLIENTS.flatMap(({ from, by, frontend }) =>
    families.map(async (family) => {
      const client = await cluster()[by](hostOf(lab, from));
      const nodePort = { address: lab.node("n1").address[family], port: 30_000 + number };
      const target = frontend === "nodePort" ? nodePort : { address: clusterIP[family], port: 80 };
      return { by, ...(await client.hold(target)) };
    }),
  );
  const open = await Promise.all(connections);
  expect(open.map(({ answer }) => answer.pod)).toEqual(open.map(() => "p2a"));
  return open;
}

/** "OK", or why the connection broke. */
const fates = (connections: readonly HeldConnection[]) =>
  Promise.all(connections.map((connection) => connection.echo().then(() => "OK", String)));

/** What fates() says once all are ended. The echo that finds a socket ended may take the errno from the recv() that waits. */
function endedAs(connections: readonly { readonly by: "wire" | "socket" }[]): readonly unknown[] {
  const expected = { wire: /ECONNRESET/, socket: /ECONNABORTED|CLOSED/ };
  return connections.map(({ by }) => expect.stringMatching(expected[by]));
}

/** How many connections node n1 has ended on the wire. */
async function ended(): Promise<number> {
  const rows: readonly { reason: string; count: number }[] = JSON.parse(
    await portolan(cluster().lab.node("n1"), ["drops", "-o", "json"]),
  );
  return rows.find(({ reason }) => reason === "endpoint_left")?.count ?? 0;
}

/** Returns when n1 has looked through its sockets since: that of a witness has been taken off. */
async function lookedThrough(): Promise<void> {
  await cluster().write(spec(65, true, { p2a: undefined }));
  const client = await cluster().socket(cluster().lab.pod("p1a"));
  const held = await client.hold({ address: serviceAddresses(65).clusterIP.v4, port: 80 });
  await cluster().write(spec(65, true, { p1b: undefined }));
  await until("the witness is taken off p2a", async () => (await fates([held])).join() !== "OK");
}

describe("connections whose endpoint stops serving", () => {
  test("row 61: by option, are ended: sockets at once, on the wire with the next packet, row 50: and no others", async () => {
    const { manifests } = cluster();
    writeService(manifests, spec(61, true, { p2a: undefined }));
    writeService(manifests, spec(62, false, { p2a: undefined }));
    await cluster().write(spec(63, true, { p2a: undefined }));
    const [ending, staying, orphaned] = [await open(61), await open(62), await open(63)];
    writeService(manifests, spec(61, true, { p2a: DRAINING, p1b: undefined }));
    writeService(manifests, spec(62, false, { p1b: undefined }));
    await cluster().remove("end63");
    await lookedThrough();
    for (const connections of [ending, staying, orphaned]) {
      expect(await fates(connections)).toEqual(connections.map(() => "OK"));
    }
    expect(await ended()).toBe(0);
    writeService(manifests, spec(61, true, { p1b: undefined }));
    await until("all are ended", async () => !(await fates(ending)).includes("OK"));
    expect(await fates(ending)).toEqual(endedAs(ending));
    expect(await ended()).toBe(4);
    expect(await fates(staying)).toEqual(staying.map(() => "OK"));
  });

  test("row 61: are ended by the next agent for what changed while there was none", async () => {
    writeService(cluster().manifests, spec(64, true, { p2a: undefined }));
    await cluster().write(spec(66, false, { p2a: undefined }));
    const [ending, staying] = [await open(64), await open(66)];
    await cluster().killAgent("n1");
    writeService(cluster().manifests, spec(64, true, { p1b: undefined }));
    writeService(cluster().manifests, spec(66, false, { p1b: undefined }));
    await cluster().startAgent("n1");
    await until("all are ended", async () => !(await fates(ending)).includes("OK"));
    expect(await fates(ending)).toEqual(endedAs(ending));
    expect(await fates(staying)).toEqual(staying.map(() => "OK"));
  });
});
