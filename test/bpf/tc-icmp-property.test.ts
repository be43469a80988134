// SPDX-License-Identifier: Apache-2.0
// Random packets through a NodePort, and an ICMP error about each, quoting as much of it as it likes: whoever sent the
// packet gets back the very bytes that he sent, in a valid message from whom he sent it to (clause E7).

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerTo, buildPacket } from "./support/build-packet.ts";
import { bytes, dump } from "./support/hex.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { type DeviceName, macOf } from "./support/topology.ts";
import { faultOf, onesComplementSum } from "./support/valid-packet.ts";

const ETHERNET = 14;
const isIpv4 = (frame: Uint8Array): boolean => frame[12] === 0x08;

/** Both ends of the wire, swapped: from whom a frame went, and to whom. */
function addresses(frame: Uint8Array): { readonly source: Uint8Array; readonly destination: Uint8Array } {
  const [at, size] = isIpv4(frame) ? [26, 4] : [22, 16];
  return { source: frame.slice(at, at + size), destination: frame.slice(at + size, at + 2 * size) };
}

/** A frame without options or extension headers, cut behind so many bytes of its transport header and payload. */
function quoteOf(frame: Uint8Array, kept: number): Uint8Array {
  return frame.slice(ETHERNET, ETHERNET + (isIpv4(frame) ? 20 : 40) + kept);
}

/** Port unreachable about a frame, from its addressee, as it comes in by a device. */
function errorAbout(frame: Uint8Array, kept: number, device: DeviceName): Uint8Array {
  const { source, destination } = addresses(frame);
  const ends = Buffer.concat([destination, source]);
  const v4 = isIpv4(frame);
  const message = Buffer.concat([bytes(v4 ? "0303000000000000" : "0104000000000000"), quoteOf(frame, kept)]);
  const tail = Uint8Array.of(0, 58, message.length >> 8, message.length & 255);
  message.writeUInt16BE(0xffff - onesComplementSum(v4 ? [message] : [ends, tail, message]), 2);
  const header = Buffer.from(bytes(v4 ? "450000000001000040010000" : "6000000000003a40"));
  header.writeUInt16BE(v4 ? 20 + message.length : message.length, v4 ? 2 : 4);
  if (v4) header.writeUInt16BE(0xffff - onesComplementSum([header, ends]), 10);
  return Buffer.concat([bytes(macOf(device)), frame.slice(0, 6), frame.slice(12, 14), header, ends, message]);
}

/** What a message quotes; of a checksum, the two ways to write zero are one. */
function comparable(quote: Uint8Array, v4: boolean, tcp: boolean): string {
  const at = v4 ? [10, 20 + (tcp ? 16 : 6)] : [40 + (tcp ? 16 : 6)];
  const plain = quote.slice();
  for (const offset of at) if (plain[offset] === 0xff && plain[offset + 1] === 0xff) plain.fill(0, offset, offset + 2);
  return dump(plain);
}

const request = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    proto: fc.constantFrom("tcp" as const, "udp" as const),
    host: fc.integer({ min: 1, max: 99 }),
    sourcePort: fc.integer({ min: 1, max: 65535 }),
    payload: fc.uint8Array({ maxLength: 1200 }),
  })
  .map(({ host, ...fields }) =>
    buildPacket({
      ...fields,
      device: "uplink",
      source: fields.family === 4 ? `203.0.113.${host}` : `2001:db8:99::${host}`,
      destination: fields.family === 4 ? "192.0.2.1" : "2001:db8:2::1",
      destinationPort: fields.proto === "tcp" ? 30080 : 30053,
      flags: 2,
    }),
  );

/** Bytes behind the IP header: 8 at least (RFC 792); half of a TCP checksum cannot be put right. */
const kept = fc.integer({ min: 8, max: 1220 }).filter((count) => count !== 17);

describe("errors about random packets", () => {
  const datapath = useDatapath([...services4, ...services6]);

  /** In by one device, out by another; both must let it go on. */
  async function cross(frame: Uint8Array, from: DeviceName, to: DeviceName): Promise<Uint8Array> {
    const inside = await datapath().run("ingress", from, frame);
    const out = await datapath().run("egress", to, inside.data, inside.mark);
    expect([inside.verdict, out.verdict]).toEqual(["next", "next"]);
    expect([inside.data, out.data].map(faultOf)).toEqual([undefined, undefined]);
    return out.data;
  }

  async function expectToldOf(sent: Uint8Array, arrived: Uint8Array, kept: number, by: DeviceName, to: DeviceName) {
    const told = await cross(errorAbout(arrived, kept, by), by, to);
    const [v4, tcp] = [isIpv4(sent), sent[isIpv4(sent) ? 23 : 20] === 6];
    const header = ETHERNET + (v4 ? 20 : 40) + 8;
    expect(comparable(told.slice(header), v4, tcp)).toBe(comparable(quoteOf(sent, kept), v4, tcp));
    const { source, destination } = addresses(sent);
    const heard = addresses(told);
    expect([heard.source, heard.destination].map(dump)).toEqual([destination, source].map(dump));
  }

  test("their senders know them again, clients and backends", async () => {
    await fc.assert(
      fc.asyncProperty(request, kept, async (packet, kept) => {
        await datapath().forgetFlows();
        const atPod = await cross(packet, "uplink", "server");
        await expectToldOf(packet, atPod, kept, "server", "uplink");
        const answer = answerTo(atPod);
        const atClient = await cross(answer, "server", "uplink");
        await expectToldOf(answer, atClient, kept, "uplink", "server");
      }),
      { numRuns: 200 },
    );
    await expectNothingLeft(datapath());
  });
});
