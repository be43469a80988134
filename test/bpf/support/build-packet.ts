// SPDX-License-Identifier: Apache-2.0
// Valid packets for properties: built from their fields, checksums by the independent sum of valid-packet.ts.

import { withSctpChecksum } from "./crc32c.ts";
import { type DeviceName, macOf } from "./topology.ts";
import { onesComplementSum } from "./valid-packet.ts";
import { address, protocol } from "./world.ts";

export interface PacketFields {
  /** It comes in there: its MAC is the destination. */
  readonly device: DeviceName;
  readonly family: 4 | 6;
  readonly proto: "tcp" | "udp" | "sctp";
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TCP flags: SYN 2, ACK 16. An SCTP packet is an INIT. */
  readonly flags: number;
  readonly payload: Uint8Array;
}

const neighbour = "02000000ff99";

/** A frame; addresses in text form. */
export function buildPacket(fields: PacketFields): Uint8Array {
  const wire = (text: string): Uint8Array => address(text).slice(fields.family === 4 ? 12 : 0);
  const addresses = Buffer.concat([wire(fields.source), wire(fields.destination)]);
  const transport = buildTransport(fields, addresses);
  const ip =
    fields.family === 4 ? header4(fields, addresses, transport.length) : header6(fields, addresses, transport.length);
  return Buffer.concat([
    Buffer.from(macOf(fields.device) + neighbour + (fields.family === 4 ? "0800" : "86dd"), "hex"),
    ip,
    transport,
  ]);
}

/** INIT (RFC 9260 3.3.2); the payload is its parameters. */
function buildSctp(fields: PacketFields): Uint8Array {
  const packet = Buffer.alloc(32 + fields.payload.length);
  packet.writeUInt16BE(fields.sourcePort, 0);
  packet.writeUInt16BE(fields.destinationPort, 2);
  packet[12] = 1;
  packet.writeUInt16BE(packet.length - 12, 14);
  packet.set(fields.payload, 32);
  return withSctpChecksum(Uint8Array.from(packet));
}

function buildTransport(fields: PacketFields, addresses: Uint8Array): Uint8Array {
  if (fields.proto === "sctp") return buildSctp(fields);
  const tcp = fields.proto === "tcp";
  const segment = Buffer.alloc((tcp ? 20 : 8) + fields.payload.length);
  segment.writeUInt16BE(fields.sourcePort, 0);
  segment.writeUInt16BE(fields.destinationPort, 2);
  if (tcp) segment.writeUInt16BE(0x5000 | fields.flags, 12);
  else segment.writeUInt16BE(segment.length, 4);
  segment.set(fields.payload, tcp ? 20 : 8);
  const tail = Uint8Array.of(0, protocol[fields.proto], segment.length >> 8, segment.length & 255);
  const sum = 0xffff - onesComplementSum([addresses, tail, segment]);
  segment.writeUInt16BE(sum === 0 && !tcp ? 0xffff : sum, tcp ? 16 : 6);
  return segment;
}

function header4(fields: PacketFields, addresses: Uint8Array, length: number): Uint8Array {
  const header = Buffer.from("4500000000004000ff000000", "hex");
  header.writeUInt16BE(20 + length, 2);
  header[9] = protocol[fields.proto];
  header.writeUInt16BE(0xffff - onesComplementSum([header, addresses]), 10);
  return Buffer.concat([header, addresses]);
}

function header6(fields: PacketFields, addresses: Uint8Array, length: number): Uint8Array {
  const header = Buffer.from("60000000000000ff", "hex");
  header.writeUInt16BE(length, 4);
  header[6] = protocol[fields.proto];
  return Buffer.concat([header, addresses]);
}

/** What the other end might send back at once: every pair of addresses and the ports swapped. Checksums stay right. */
export function answerTo(frame: Uint8Array): Uint8Array {
  const data = frame.slice();
  data.set(frame.slice(6, 12), 0);
  data.set(frame.slice(0, 6), 6);
  const [at, size, ports] = frame[12] === 0x08 ? [26, 4, 34] : [22, 16, 54];
  data.set(frame.slice(at + size, at + 2 * size), at);
  data.set(frame.slice(at, at + size), at + size);
  data.set(frame.slice(ports + 2, ports + 4), ports);
  data.set(frame.slice(ports, ports + 2), ports + 2);
  if (frame[at === 26 ? 23 : 20] === protocol.sctp) data.set(withSctpChecksum(data.slice(ports)), ports);
  return data;
}

/** "ADDRESS:PORT > ADDRESS:PORT" in hex, of a frame without options. */
export function endsOf(frame: Uint8Array): string {
  const hex = (from: number, size: number): string => Buffer.from(frame.slice(from, from + size)).toString("hex");
  const [at, size, ports] = frame[12] === 0x08 ? [26, 4, 34] : [22, 16, 54];
  return `${hex(at, size)}:${hex(ports, 2)} > ${hex(at + size, size)}:${hex(ports + 2, 2)}`;
}
