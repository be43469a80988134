// SPDX-License-Identifier: Apache-2.0
// TCP of a Service that wants its connections ended with their endpoint, on the wire: row 61 of the behaviour contract,
// by option. tc-gone.test.ts shows that all others stay.

import { afterEach, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { encode } from "../../src/datapath/ebpf/codec.ts";
import { answerTo, buildPacket, endsOf } from "./support/build-packet.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { end, type FrontendKind, u32 } from "./support/world.ts";

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
const ENDS = abi.BlockFlags.BLOCK_ENDS_CONNECTIONS;
const families = [
  { family: 4, vip: "10.96.0.1", client: "10.0.0.10", old: "10.0.0.20", young: "10.0.0.21", flagsAt: 47 },
  { family: 6, vip: "fd00:96::1", client: "fd00::10", old: "fd00::20", young: "fd00::21", flagsAt: 67 },
] as const;
const kinds: readonly FrontendKind[] = ["ClusterIP", "LoadBalancer"]; // the backend sees the client, or the node
const at = (address: string, port: number) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

describe.each(families.flatMap((ends) => kinds.map((kind) => ({ ...ends, kind }))))("IPv$family, $kind", (ends) => {
  const { family, vip, client, old, young, kind, flagsAt } = ends;
  const frontend = at(vip, 80);
  const datapath = useDatapath([
    { name: "web", proto: "tcp", kind, frontend, endpoints: [at(old, 8080)], flags: ENDS },
  ]);
  afterEach(async () => {
    await expectNothingLeft(datapath());
    await put(old, ENDS);
  });

  let epoch = 1;
  const { BLOCK_HAS_ENDPOINTS } = abi.BlockFlags;
  /** The Service's block in force: row 1, whose only id stands in row 2. endsEpoch: when the option came to be. */
  async function put(address: string, flags: number, endsEpoch = flags & ENDS ? 1 : 0): Promise<void> {
    const id = address === old ? 1 : 2;
    const live = abi.BackendFlags.BACKEND_LIVE;
    const cell = { ...end(at(address, 8080)), proto: 6, weight: 1, node: 0, zone: 0, flags: live };
    const set = { count: 1, firstRow: 1, tableRow: 0, tableSize: 0 };
    const rest = { servingCount: 0, affinityTimeout: 0, affinityEpoch: 0, endsEpoch };
    const header = { service: 1, rows: 2, cluster: set, local: set, scheduler: 0, sourceKinds: 0, sourceSet: 0 };
    const block = { ...header, ...rest, flags: flags | BLOCK_HAS_ENDPOINTS };
    await datapath().write("backends", [[u32(id), encode(abi.backend, cell)]]);
    await datapath().write("members", [
      [u32(1), encode(abi.blockHeader, block)],
      [u32(2), encode(abi.blockIds, { backend: [id] })],
    ]);
    await datapath().write("services", [[u32(1), encode(abi.serviceWord, { row: 1, epoch: ++epoch })]]);
  }

  function packet(flags: number): Uint8Array {
    const from = { device: "client", family, proto: "tcp", source: client, sourcePort: 50_000 } as const;
    return buildPacket({ ...from, destination: vip, destinationPort: 80, flags, payload: new Uint8Array() });
  }

  const drops = async () => (await datapath().counters())["drops.endpoint_left"] ?? 0;

  /** The client's packet, and what became of it: "to OLD", or the flags of what came back. */
  async function send(flags: number): Promise<string> {
    const { verdict, data } = await datapath().run("ingress", "client", packet(flags));
    if (verdict === "redirect") {
      expect(endsOf(data)).toBe(endsOf(answerTo(Uint8Array.from(packet(flags)))));
      return `reply ${data[flagsAt]}`;
    }
    return verdict === "next" ? `to ${endsOf(data).split(" > ")[1]}` : verdict;
  }

  const to = (address: string) =>
    `to ${Buffer.from(end(at(address, 8080)).addr.slice(family === 4 ? 12 : 0)).toString("hex")}:1f90`;

  async function establish(): Promise<void> {
    const { data } = await datapath().run("ingress", "client", packet(SYN));
    const answer = answerTo(data);
    answer[flagsAt] = SYN | ACK;
    expect((await datapath().run("egress", "client", answer)).verdict).toBe("next");
    expect(await send(ACK)).toBe(to(old));
  }

  test("row 61: by option, a connection whose endpoint serves no more is reset with its next packet", async () => {
    await establish();
    const before = await drops();
    await put(young, ENDS);
    expect(await send(ACK)).toBe(`reply ${RST}`);
    expect(await drops()).toBe(before + 1);
    expect(await datapath().flows()).toEqual([expect.stringMatching(/^flows owner .* rst ended$/)]);
    expect(await send(FIN | ACK)).toBe(`reply ${RST}`);
    await put(old, ENDS);
    expect(await send(ACK)).toBe(`reply ${RST}`); // the client has heard that it is no more
    await put(young, ENDS);
    expect(await send(SYN)).toBe(to(young));
    expect(await send(ACK)).toBe(to(young));
  });

  test("row 61: a SYN on its ports begins anew once its endpoint has left; row 50: not when its Service is gone", async () => {
    await establish();
    await put(young, ENDS);
    expect(await send(SYN)).toBe(to(young));
    await datapath().forgetFlows();
    await put(old, ENDS);
    await establish();
    const [entry] = await datapath().entries("frontends");
    if (!entry) throw new Error("there is no frontend");
    await datapath().remove("frontends", [entry[0]]);
    expect(await send(SYN)).toBe(to(old));
    expect(await send(ACK)).toBe(to(old));
    await datapath().write("frontends", [entry]);
  });

  test("row 50: it stays while its endpoint serves, and when its Service is gone", async () => {
    await establish();
    await put(old, ENDS);
    expect(await send(ACK)).toBe(to(old));
    const [entry] = await datapath().entries("frontends");
    if (!entry) throw new Error("there is no frontend");
    await datapath().remove("frontends", [entry[0]]);
    await put(young, ENDS);
    expect(await send(ACK)).toBe(to(old));
    await datapath().write("frontends", [entry]);
    expect(await send(RST)).toBe(to(old)); // the client's own word reaches the endpoint
  });

  test("row 50: a Service made anew, with the same id too, ends nothing of the one before", async () => {
    await establish();
    await put(young, ENDS, epoch + 1);
    expect(await send(ACK)).toBe(to(old));
    await put(old, ENDS, epoch);
    expect(await send(ACK)).toBe(to(old));
    await put(young, ENDS, epoch - 1);
    expect(await send(ACK)).toBe(to(old));
  });

  test("row 50: another Service that comes to have the VIP ends nothing", async () => {
    await establish();
    const [entry] = await datapath().entries("frontends");
    if (!entry) throw new Error("there is no frontend");
    const [key, value] = entry;
    await put(young, ENDS);
    await datapath().write("services", [[u32(2), encode(abi.serviceWord, { row: 1, epoch })]]);
    await datapath().write("frontends", [[key, Uint8Array.of(2, 0, 0, 0, ...value.subarray(4))]]);
    expect(await send(ACK)).toBe(to(old));
    await datapath().write("frontends", [entry]);
    expect(await send(ACK)).toBe(`reply ${RST}`);
  });

  /** The packet cut after its TCP header: more: the first piece, else one of payload only, 32 bytes behind it. */
  function piece(more: boolean): Uint8Array {
    const whole = packet(ACK);
    if (family === 4) {
      whole.set(more ? [0x20, 0x00] : [0x00, 0x04], 20); // flags and offset in units of 8
      return whole;
    }
    const header = Uint8Array.of(6, 0, 0, more ? 0x01 : 0x20, 0, 0, 0, 9); // RFC 8200 4.5: TCP, offset and M, id 9
    const cut = Buffer.concat([whole.subarray(0, 54), header, whole.subarray(54)]);
    cut.writeUInt16BE(28, 18); // payload length
    cut[20] = 44;
    return cut;
  }

  test("a later fragment, which has no TCP header, is dropped, and so is a first one behind an extension header", async () => {
    await establish();
    const before = await drops();
    await put(young, ENDS);
    expect((await datapath().run("ingress", "client", piece(true))).verdict).toBe(family === 4 ? "redirect" : "drop");
    expect((await datapath().run("ingress", "client", piece(false))).verdict).toBe("drop");
    expect(await drops()).toBe(before + 2);
  });

  test("the option counts when the connection begins and when the endpoint has left", async () => {
    await put(old, 0);
    await establish();
    await put(young, ENDS, epoch + 1);
    expect(await send(ACK)).toBe(to(old));
    await datapath().forgetFlows();
    await put(old, ENDS);
    await establish();
    await put(young, 0);
    expect(await send(ACK)).toBe(to(old));
  });
});
