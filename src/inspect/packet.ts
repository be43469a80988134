// SPDX-License-Identifier: Apache-2.0
// Crafts the first packet of a connection for a test run of the tc programs: Ethernet, IPv4 or IPv6, TCP SYN, UDP or
// SCTP INIT, with correct lengths and checksums. All fields in wire order.

import { protocolNumber } from "../datapath/ebpf/service-plan.ts";
import type { Protocol } from "../model/service.ts";

const ETHERNET_SIZE = 14;
const IPV6_SIZE = 40;
const IPV4_SIZE = 20;
/** Bytes behind the IP header: SCTP's with the chunk INIT (RFC 9260 3.3.2). */
const TRANSPORT_SIZE: Readonly<Record<Protocol, number>> = { TCP: 20, UDP: 8, SCTP: 32 };
const TTL = 64;
const TCP_SYN = 0x02;
const WINDOW = 64240;
const SCTP_INIT = 1;
const SCTP_HEADER_SIZE = 12;
const SCTP_STREAMS = 10;
/** CRC32c (RFC 9260 appendix A), reflected. */
const CRC32C_POLYNOMIAL = 0x82f63b78;

export interface PacketSpec {
  /** 4 or 16 bytes, both of one length. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** 1..65535 */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: Protocol;
}

/** The frame without payload: 54 bytes for TCP over IPv4, 74 over IPv6, 42 and 62 for UDP, 66 and 86 for SCTP. */
export function craftPacket(spec: PacketSpec): Uint8Array {
  const ipSize = spec.source.length === 4 ? IPV4_SIZE : IPV6_SIZE;
  const frame = new Uint8Array(ETHERNET_SIZE + ipSize + TRANSPORT_SIZE[spec.protocol]);
  writeEthernet(frame, ipSize === IPV4_SIZE ? 0x0800 : 0x86dd);
  const ip = frame.subarray(ETHERNET_SIZE);
  if (ipSize === IPV4_SIZE) writeIpv4(ip, spec);
  else writeIpv6(ip, spec);
  writeTransport(ip.subarray(ipSize), spec);
  return frame;
}

/** To the MAC of loopback, all zeros, where test packets come in: any other would be another host's. */
function writeEthernet(frame: Uint8Array, etherType: number): void {
  frame.set([0x02, 0, 0, 0, 0, 0x02], 6); // from some locally administered address
  view(frame).setUint16(12, etherType);
}

function writeIpv4(packet: Uint8Array, spec: PacketSpec): void {
  const header = view(packet);
  header.setUint8(0, 0x45);
  header.setUint16(2, packet.length);
  header.setUint16(6, 0x4000); // don't fragment
  header.setUint8(8, TTL);
  header.setUint8(9, protocolNumber(spec.protocol));
  packet.set(spec.source, 12);
  packet.set(spec.destination, 16);
  header.setUint16(10, checksum(packet.subarray(0, IPV4_SIZE)));
}

function writeIpv6(packet: Uint8Array, spec: PacketSpec): void {
  const header = view(packet);
  header.setUint8(0, 0x60);
  header.setUint16(4, packet.length - IPV6_SIZE);
  header.setUint8(6, protocolNumber(spec.protocol));
  header.setUint8(7, TTL);
  packet.set(spec.source, 8);
  packet.set(spec.destination, 24);
}

function writeTransport(segment: Uint8Array, spec: PacketSpec): void {
  const header = view(segment);
  header.setUint16(0, spec.sourcePort);
  header.setUint16(2, spec.destinationPort);
  if (spec.protocol === "TCP") {
    header.setUint32(4, 1); // sequence number
    header.setUint8(12, (segment.length / 4) << 4);
    header.setUint8(13, TCP_SYN);
    header.setUint16(14, WINDOW);
    header.setUint16(16, transportChecksum(segment, spec));
  } else if (spec.protocol === "UDP") {
    header.setUint16(4, segment.length);
    header.setUint16(6, transportChecksum(segment, spec) || 0xffff); // 0 would mean "no checksum"
  } else {
    writeInit(view(segment.subarray(SCTP_HEADER_SIZE)));
    header.setUint32(8, crc32c(segment), true);
  }
}

function writeInit(chunk: DataView): void {
  chunk.setUint8(0, SCTP_INIT);
  chunk.setUint16(2, chunk.byteLength);
  chunk.setUint32(4, 1); // tag
  chunk.setUint32(8, WINDOW);
  chunk.setUint16(12, SCTP_STREAMS);
  chunk.setUint16(14, SCTP_STREAMS);
  chunk.setUint32(16, 1); // first TSN
}

/** Goes onto the wire as a little-endian word. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
  }
  return ~crc >>> 0;
}

/** Both families' pseudo-headers sum to the same fields: addresses, length, protocol. */
function transportChecksum(segment: Uint8Array, spec: PacketSpec): number {
  const pseudo = new Uint8Array(spec.source.length * 2 + 4);
  pseudo.set(spec.source, 0);
  pseudo.set(spec.destination, spec.source.length);
  view(pseudo).setUint16(pseudo.length - 4, segment.length);
  view(pseudo).setUint16(pseudo.length - 2, protocolNumber(spec.protocol));
  return checksum(pseudo, segment);
}

/** RFC 1071, over parts of even length. */
function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let at = 0; at < part.length; at += 2) sum += view(part).getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
