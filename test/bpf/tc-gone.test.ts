// SPDX-License-Identifier: Apache-2.0
// What flows do whose endpoint has left its Service: TCP stays with it, datagrams and new connections from the same port
// go to another (rows 50, 58 of the behaviour contract). A SYN to a connection in use: tc-stray-syn.test.ts.

import { afterEach, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { encode } from "../../src/datapath/ebpf/codec.ts";
import { answerTo, buildPacket, endsOf } from "./support/build-packet.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { end, u32 } from "./support/world.ts";

const SYN = 2;
const ACK = 16;
const families = [
  { family: 4, vip: "10.96.0.1", client: "10.0.0.10", old: "10.0.0.20", young: "10.0.0.21" },
  { family: 6, vip: "fd00:96::1", client: "fd00::10", old: "fd00::20", young: "fd00::21" },
] as const;
const at = (address: string, port: number) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

describe.each(families)("IPv$family, an endpoint that another takes the place of", (ends) => {
  const { family, vip, client, old, young } = ends;
  const frontends = { tcp: at(vip, 80), udp: at(vip, 53) };
  const datapath = useDatapath(
    (["tcp", "udp"] as const).map((proto) => ({
      name: proto,
      proto,
      kind: "ClusterIP",
      frontend: frontends[proto],
      endpoints: [at(old, 8080)],
    })),
    { sizes: { members: 1024 } },
  );
  afterEach(async () => {
    await expectNothingLeft(datapath());
    await Promise.all([put(1, "tcp", old), put(2, "udp", old)]);
  });

  let epoch = 1;
  /** Backend 1 is the TCP Service's, 2 the UDP Service's, and both stay: they may be another Service's as well. */
  async function put(service: 1 | 2, proto: "tcp" | "udp", address: string): Promise<void> {
    const id = address === old ? service : service + 2;
    const flags = abi.BackendFlags.BACKEND_LIVE;
    const cell = { ...end(at(address, 8080)), proto: { tcp: 6, udp: 17 }[proto], weight: 1, node: 0, zone: 0, flags };
    const row = 2 * service - 1; // a header and one row of ids each
    await datapath().write("backends", [[u32(id), encode(abi.backend, cell)]]);
    await datapath().write("members", [[u32(row + 1), encode(abi.blockIds, { backend: [id] })]]);
    await datapath().write("services", [[u32(service), encode(abi.serviceWord, { row, epoch: ++epoch })]]);
  }

  /**
   * The UDP Service chooses the young endpoint; the old one, terminating and so under another id, stands in the last of
   * this many rows of ids.
   */
  async function keepBeside(idRows: number): Promise<void> {
    const [row, young4, old5] = [10 + idRows, 4, 5];
    const cell = (address: string, flags: number) =>
      encode(abi.backend, { ...end(at(address, 8080)), proto: 17, weight: 1, node: 0, zone: 0, flags });
    const { BACKEND_LIVE, BACKEND_TERMINATING } = abi.BackendFlags;
    await datapath().write("backends", [
      [u32(young4), cell(young, BACKEND_LIVE)],
      [u32(old5), cell(old, BACKEND_LIVE | BACKEND_TERMINATING)],
      [u32(2), cell("0.0.0.0", 0)],
    ]);
    const set = { count: 1, firstRow: 1, tableRow: 0, tableSize: 0 };
    const sets = { cluster: set, local: set, servingCount: 16 * (idRows - 1) };
    const { BLOCK_HAS_ENDPOINTS } = abi.BlockFlags;
    const rest = { affinityTimeout: 0, affinityEpoch: 0, endsEpoch: 0, sourceKinds: 0, sourceSet: 0 };
    const header = { service: 2, rows: 1 + idRows, scheduler: 0, flags: BLOCK_HAS_ENDPOINTS, ...sets, ...rest };
    await datapath().write("members", [
      [u32(row), encode(abi.blockHeader, header)],
      [u32(row + 1), encode(abi.blockIds, { backend: [young4] })],
      [u32(row + idRows), encode(abi.blockIds, { backend: [...new Array(15).fill(0), old5] })],
    ]);
    await datapath().write("services", [[u32(2), encode(abi.serviceWord, { row, epoch: ++epoch })]]);
  }

  /** The client's packet, translated. */
  async function send(proto: "tcp" | "udp", flags = 0, sourcePort = 50_000): Promise<Uint8Array> {
    const packet = buildPacket({
      device: "client",
      family,
      proto,
      source: client,
      sourcePort,
      destination: vip,
      destinationPort: proto === "tcp" ? 80 : 53,
      flags,
      payload: Buffer.from("hello"),
    });
    const { verdict, data } = await datapath().run("ingress", "client", packet);
    expect(verdict).toBe("next");
    return data;
  }

  async function answer(packet: Uint8Array, flags = 0): Promise<void> {
    const data = answerTo(packet);
    if (flags !== 0) data[family === 4 ? 47 : 67] = flags;
    expect((await datapath().run("egress", "client", data)).verdict).toBe("next");
  }

  const sentTo = (packet: Uint8Array) => endsOf(packet).split(" > ")[1];
  const hex = (address: string) =>
    `${Buffer.from(end(at(address, 8080)).addr.slice(family === 4 ? 12 : 0)).toString("hex")}:1f90`;

  test("a change that leaves the endpoint in place moves nothing", async () => {
    await answer(await send("udp"));
    for (let n = 0; n < 2; n++) {
      await put(2, "udp", old);
      await send("udp");
    }
    expect(await datapath().flows()).toEqual([
      `flows owner ${at(client, 50_000)} > ${at(vip, 53)} > ${at(old, 8080)} answered`,
    ]);
  });

  test("row 50: an established connection stays with its backend", async () => {
    await answer(await send("tcp", SYN), SYN | ACK);
    await send("tcp", ACK);
    await put(1, "tcp", young);
    expect(sentTo(await send("tcp", ACK))).toBe(hex(old));
  });

  test("a SYN that nobody answered goes to the new one when it is sent again", async () => {
    expect(sentTo(await send("tcp", SYN))).toBe(hex(old));
    await put(1, "tcp", young);
    expect(sentTo(await send("tcp", SYN))).toBe(hex(young));
  });

  test.each([
    ["a block of two rows", 2],
    ["a block of 4800 endpoints", 300],
  ])("row 58: datagrams stay while it serves on beside the sets, terminating, in %s", async (_, idRows) => {
    await answer(await send("udp"));
    for (let n = 0; n < 2; n++) {
      await keepBeside(idRows);
      expect(sentTo(await send("udp"))).toBe(hex(old));
    }
    for (let port = 40_000; port < 40_020; port++) expect(sentTo(await send("udp", 0, port))).toBe(hex(young));
    await put(2, "udp", young);
    expect(sentTo(await send("udp"))).toBe(hex(young));
  });

  test("row 58: datagrams go to the new one, answered before or not", async () => {
    expect(sentTo(await send("udp"))).toBe(hex(old));
    await put(2, "udp", young);
    const again = await send("udp");
    expect(sentTo(again)).toBe(hex(young));
    await answer(again);
    expect(sentTo(await send("udp"))).toBe(hex(young));
    await put(2, "udp", old);
    expect(sentTo(await send("udp"))).toBe(hex(old));
  });
});

describe.each([
  { family: 4, node: "192.0.2.1", outside: "203.0.113.5", backend: "10.0.0.20", device: "uplink" },
  { family: 6, node: "2001:db8:2::1", outside: "2001:db8:99::5", backend: "fd00::20", device: "uplink" },
] as const)("IPv$family, a socket of the host on a NodePort's number", ({ family, node, outside, backend, device }) => {
  const datapath = useDatapath([
    {
      name: "port",
      proto: "tcp",
      kind: "NodePort",
      frontend: at(family === 4 ? "0.0.0.0" : "::", 30_080),
      endpoints: [at(backend, 8080)],
    },
  ]);

  test("keeps the answers of whom it spoke to, but a SYN from there comes to the Service", async () => {
    const packet = (flags: number) =>
      buildPacket({
        device,
        family,
        proto: "tcp",
        source: outside,
        sourcePort: 50_000,
        destination: node,
        destinationPort: 30_080,
        flags,
        payload: new Uint8Array(),
      });
    const fromHost = answerTo(Uint8Array.from(packet(ACK)));
    expect(await datapath().run("egress", device, fromHost)).toMatchObject({ verdict: "next", mark: 0 });
    expect(await datapath().run("ingress", device, packet(ACK))).toMatchObject({ verdict: "next", mark: 0 });
    const { verdict, data } = await datapath().run("ingress", device, packet(SYN));
    expect(verdict).toBe("next");
    const to = Buffer.from(end(at(backend, 8080)).addr.slice(family === 4 ? 12 : 0)).toString("hex");
    expect(endsOf(data).split(" > ")[1]).toBe(`${to}:1f90`);
    await expectNothingLeft(datapath());
  });
});
