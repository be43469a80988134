// SPDX-License-Identifier: Apache-2.0
// Connections that are open while their endpoint stops serving: those of a Service that asks for it are ended, on the
// wire and on sockets, and no others (row 61 of the behaviour contract).
import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { type Endpoint, type ServiceSpec, serviceAddresses, writeService, writeSlices } from "../support/manifests.ts";
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

const cluster = useCluster({ firewall: "realistic", agents: ["n1"] });

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
function ended(): number {
  using state = openState(cluster().lab.node("n1").bpffs);
  return Number(state.drops().find(({ name }) => name === "endpoint_left")?.count);
}

async function expectAllOpen(...opened: readonly (readonly HeldConnection[])[]): Promise<void> {
  for (const connections of opened) expect(await fates(connections)).toEqual(connections.map(() => "OK"));
}

async function expectAllEnded(connections: Awaited<ReturnType<typeof open>>): Promise<void> {
  await until("all are ended", async () => !(await fates(connections)).includes("OK"));
  expect(await fates(connections)).toEqual(endedAs(connections));
}

const ON_P2A = { p2a: undefined };
const ON_P1B = { p1b: undefined };

let witnesses = 0;

/** Returns when n1 has looked through its sockets since: that of a witness has been taken off. */
async function lookedThrough(): Promise<void> {
  const number = 80 + witnesses++; // of its own: write() waits until it is there
  await cluster().write(spec(number, true, ON_P2A));
  const client = await cluster().socket(cluster().lab.pod("p1a"));
  const held = await client.hold({ address: serviceAddresses(number).clusterIP.v4, port: 80 });
  writeService(cluster().manifests, spec(number, true, ON_P1B));
  await until("the witness is taken off p2a", async () => (await fates([held])).join() !== "OK");
}

/** The Services are new, and served when this returns. */
async function writeAll(...specs: readonly ServiceSpec[]): Promise<void> {
  for (const one of specs) writeService(cluster().manifests, one);
  for (const { name, endpoints } of specs) await cluster().served(name, endpoints.length);
}

describe("connections whose endpoint stops serving", () => {
  test("row 61: by option, are ended: sockets at once, on the wire with the next packet, row 50: and no others", async () => {
    const { manifests } = cluster();
    await writeAll(spec(61, true, ON_P2A), spec(62, false, ON_P2A), spec(63, true, ON_P2A));
    const [ending, staying, orphaned] = [await open(61), await open(62), await open(63)];
    writeService(manifests, spec(61, true, { p2a: DRAINING, p1b: undefined }));
    writeService(manifests, spec(62, false, ON_P1B));
    await cluster().remove("end63");
    await lookedThrough();
    await expectAllOpen(ending, staying, orphaned);
    expect(ended()).toBe(0);
    writeService(manifests, spec(61, true, ON_P1B));
    await expectAllEnded(ending);
    expect(ended()).toBe(4);
    await expectAllOpen(staying);
  });

  test("row 61: are ended by the next agent for what changed while there was none, or after it came", async () => {
    const { manifests } = cluster();
    await writeAll(spec(64, true, ON_P2A), spec(67, true, ON_P2A), spec(66, false, ON_P2A), spec(68, false, ON_P2A));
    const [ending, later, staying, early] = [await open(64), await open(67), await open(66), await open(68)];
    await cluster().write(spec(68, true, { ...ON_P2A, ...ON_P1B })); // begun before the option, row 50
    await cluster().killAgent("n1");
    writeService(manifests, spec(64, true, ON_P1B));
    writeService(manifests, spec(66, false, ON_P1B));
    await cluster().startAgent("n1");
    await expectAllEnded(ending);
    await expectAllOpen(later);
    writeService(manifests, spec(68, true, ON_P1B));
    writeService(manifests, spec(67, true, ON_P1B));
    await expectAllEnded(later);
    await expectAllOpen(staying, early);
  });

  test("row 50: stay when only their Service or its VIP changed hands", async () => {
    const { manifests } = cluster();
    const before = ended();
    await writeAll(spec(69, true, ON_P2A), spec(70, false, ON_P2A));
    const [anew, robbed] = [await open(69), await open(70)];
    for (const name of ["end69", "end70"]) await cluster().remove(name);
    writeService(manifests, spec(69, true, {})); // made anew, before its slices, which name another endpoint
    await cluster().write({ ...spec(70, true, ON_P1B), name: "taker" }); // has the addresses now, and the option
    await cluster().write(spec(69, true, ON_P1B));
    await lookedThrough();
    await expectAllOpen(anew, robbed);
    expect(ended()).toBe(before);
  });

  test("row 61: stay when their endpoint comes back within a second, in another slice", async () => {
    const { manifests } = cluster();
    let number = 71; // of each attempt
    const movesInTime = async () => {
      const before = ended();
      const [name, gone, there] = [`end${number}`, spec(number, true, {}), spec(number, true, ON_P2A)];
      writeService(manifests, gone);
      writeSlices(manifests, there, `first${number}`);
      await cluster().served(name, 1);
      const moving = await open(number);
      const begin = performance.now();
      writeSlices(manifests, gone, `first${number}`);
      await cluster().served(name, 0);
      const between = await fates(moving);
      writeSlices(manifests, there, `second${number++}`);
      await cluster().served(name, 1);
      if (performance.now() - begin > 900) return false; // too slow to say anything
      expect(between).toEqual(moving.map(() => "OK"));
      await lookedThrough();
      await expectAllOpen(moving);
      expect(ended()).toBe(before);
      return true;
    };
    await until("an endpoint has moved in time", movesInTime, 30_000);
  });
});
