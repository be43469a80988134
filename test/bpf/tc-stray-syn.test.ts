// SPDX-License-Identifier: Apache-2.0
// A SYN, or an INIT of SCTP, in the middle of a connection whose endpoint has left its Service (row 50): anybody can send
// one, so it takes nothing from a connection that is in use.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { encode } from "../../src/datapath/ebpf/codec.ts";
import { answerTo, buildPacket } from "./support/build-packet.ts";
import { bytes, dump } from "./support/hex.ts";
import type { Entry } from "./support/machine.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { atClient, chunks, sctpFrame } from "./support/sctp-packet.ts";
import { end, protocol, u32 } from "./support/world.ts";

/** What a packet says: TCP flags, or the chunk that means the same. */
const words = {
  begin: [2, chunks.init],
  accept: [18, chunks.initAck],
  goOn: [16, chunks.cookieEcho],
  reset: [4, chunks.abort],
} as const;
type Word = keyof typeof words;

const families = [
  { family: 4, vip: "10.96.0.1", client: "10.0.0.10", old: "10.0.0.20", young: "10.0.0.21" },
  { family: 6, vip: "fd00:96::1", client: "fd00::10", old: "fd00::20", young: "fd00::21" },
] as const;
const cases = families.flatMap((ends) => (["tcp", "sctp"] as const).map((proto) => ({ ...ends, proto })));

describe.each(cases)(
  "IPv$family, $proto, to an endpoint that has left",
  ({ family, proto, vip, client, old, young }) => {
    const at = (address: string, port: number) => (family === 6 ? `[${address}]:${port}` : `${address}:${port}`);
    const datapath = useDatapath([
      { name: "web", proto, kind: "ClusterIP", frontend: at(vip, 80), endpoints: [at(old, 8080)] },
    ]);
    beforeEach(async () => {
      expect(await said("begin")).toBe("to the old one");
      await answered("accept");
      expect(await said("goOn")).toBe("to the old one");
      await serves(young);
    });
    afterEach(async () => {
      await expectNothingLeft(datapath());
      await serves(old);
    });

    let epoch = 1;
    /** This endpoint alone, from now on. */
    async function serves(address: string): Promise<void> {
      const id = address === old ? 1 : 2;
      const flags = abi.BackendFlags.BACKEND_LIVE;
      const cell = { ...end(at(address, 8080)), proto: protocol[proto], weight: 1, node: 0, zone: 0, flags };
      await datapath().write("backends", [[u32(id), encode(abi.backend, cell)]]);
      await datapath().write("members", [[u32(2), encode(abi.blockIds, { backend: [id] })]]);
      await datapath().write("services", [[u32(1), encode(abi.serviceWord, { row: 1, epoch: ++epoch })]]);
    }

    function frame(word: Word, destination: string, destinationPort: number): Uint8Array {
      const [flags, says] = words[word];
      const [src, dst] = [at(client, 50_000), at(destination, destinationPort)];
      if (proto === "sctp") return bytes(sctpFrame({ ...atClient, src, dst, chunks: says }));
      const from = { device: "client", source: client, sourcePort: 50_000 } as const;
      const empty = new Uint8Array();
      return Uint8Array.from(
        buildPacket({ ...from, family, proto, destination, destinationPort, flags, payload: empty }),
      );
    }

    /** The client says it to the VIP; where that goes, every byte looked at. */
    async function said(word: Word): Promise<string> {
      const { verdict, data } = await datapath().run("ingress", "client", frame(word, vip, 80));
      expect(verdict).toBe("next");
      const ways = { "to the old one": frame(word, old, 8080), "to the young one": frame(word, young, 8080) };
      const way = Object.entries({ ...ways, untouched: frame(word, vip, 80) }).find(
        ([, expected]) => dump(expected) === dump(data),
      );
      return way?.[0] ?? dump(data);
    }

    /** The old endpoint answers. */
    async function answered(word: Word): Promise<void> {
      const { verdict, data } = await datapath().run("egress", "client", answerTo(frame(word, old, 8080)));
      expect({ verdict, data: dump(data) }).toEqual({ verdict: "next", data: dump(answerTo(frame(word, vip, 80))) });
    }

    /** So much time goes by in silence. */
    async function silence(seconds: number): Promise<void> {
      for (const { table, key, flow } of await datapath().records()) {
        await datapath().write(table, [[key, encode(abi.flow, { ...flow, lastSeen: flow.lastSeen - seconds })]]);
      }
    }

    test("row 50: it goes to the endpoint that has the connection, which goes on", async () => {
      const { "web.connections": before } = await datapath().counters();
      expect(await said("begin")).toBe("to the old one");
      expect(await said("goOn")).toBe("to the old one");
      expect((await datapath().counters())["web.connections"]).toBe(before);
    });

    test("row 50: so it does where the Service is gone, for a minute", async () => {
      const [frontend] = await datapath().entries("frontends");
      const there = ([key]: Entry) => frontend && Buffer.compare(key, frontend[0].subarray(0, 16)) === 0;
      const address = (await datapath().entries("addresses")).find(there);
      if (!frontend || !address) throw new Error("there is no frontend");
      await datapath().remove("frontends", [frontend[0]]);
      await datapath().remove("addresses", [address[0]]);
      expect(await said("begin")).toBe("to the old one");
      expect(await said("goOn")).toBe("to the old one");
      await silence(61);
      expect(await said("begin")).toBe("untouched");
      await datapath().write("frontends", [frontend]);
      await datapath().write("addresses", [address]);
    });

    test("it begins anew a minute after the connection's last packet; others like it do not put that off", async () => {
      await silence(30);
      expect(await said("begin")).toBe("to the old one");
      await silence(31);
      expect(await said("begin")).toBe("to the young one");
      expect(await said("goOn")).toBe("to the young one");
    });

    test.each([
      ["the endpoint", "answered"],
      ["the client", "said"],
    ] as const)("it begins anew at once when %s has answered the one before with a reset", async (_, who) => {
      expect(await said("begin")).toBe("to the old one");
      if (who === "said") expect(await said("reset")).toBe("to the old one");
      else await answered("reset");
      expect(await said("begin")).toBe("to the young one");
    });
  },
);
