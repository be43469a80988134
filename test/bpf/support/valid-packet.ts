// SPDX-License-Identifier: Apache-2.0
// An independent reading of a packet: lengths and checksums of Ethernet II, IPv4, IPv6 with extension headers, TCP, UDP,
// SCTP, ICMP and ICMPv6 (RFC 791, 8200, 9293, 768, 9260, 792, 4443, 1071). Shares nothing with what it checks.

import { withSctpChecksum } from "./crc32c.ts";

const EXTENSION_HEADERS = new Set([0, 43, 44, 51, 60]);

/** Ones' complement sum of 16-bit words; 0xffff over bytes that contain their right checksum. */
export function onesComplementSum(parts: readonly Uint8Array[]): number {
  let total = 0;
  const all = Buffer.concat(parts);
  for (let i = 0; i < all.length; i++) total += (all[i] ?? 0) * (i % 2 === 0 ? 256 : 1);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

function transportFault(proto: number, pseudo: Uint8Array, body: Uint8Array): string | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (proto === 17) {
    if (body.length < 8 || view.getUint16(4) !== body.length) return "UDP length";
    if (view.getUint16(6) === 0) return pseudo.length === 40 ? "UDP over IPv6 without a checksum" : undefined;
    return onesComplementSum([pseudo, body]) === 0xffff ? undefined : "UDP checksum";
  }
  if (proto === 6) {
    if (body.length < 20 || (view.getUint8(12) >> 4) * 4 > body.length) return "TCP length";
    return onesComplementSum([pseudo, body]) === 0xffff ? undefined : "TCP checksum";
  }
  if (proto === 132) {
    if (body.length < 16) return "SCTP length";
    return Buffer.from(withSctpChecksum(body)).equals(body) ? undefined : "SCTP checksum";
  }
  if (proto === 1) return onesComplementSum([body]) === 0xffff ? undefined : "ICMP checksum";
  if (proto === 58) return onesComplementSum([pseudo, body]) === 0xffff ? undefined : "ICMPv6 checksum";
  return `protocol ${proto}`;
}

function fault4(ip: Uint8Array): string | undefined {
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  const header = (view.getUint8(0) & 15) * 4;
  const proto = view.getUint8(9);
  if (view.getUint8(0) >> 4 !== 4 || header < 20 || header > ip.length) return "IPv4 header";
  if (view.getUint16(2) !== ip.length) return "IPv4 total length";
  if (onesComplementSum([ip.subarray(0, header)]) !== 0xffff) return "IPv4 checksum";
  if ((view.getUint16(6) & 0x3fff) !== 0) return undefined; // a fragment: the rest shows only when it is whole
  const body = ip.subarray(header);
  const tail = Uint8Array.of(0, proto, body.length >> 8, body.length & 255);
  return transportFault(proto, Buffer.concat([ip.subarray(12, 20), tail]), body);
}

function fault6(ip: Uint8Array): string | undefined {
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  if (view.getUint8(0) >> 4 !== 6 || ip.length < 40) return "IPv6 header";
  if (view.getUint16(4) !== ip.length - 40) return "IPv6 payload length";
  let next = view.getUint8(6);
  let at = 40;
  while (EXTENSION_HEADERS.has(next)) {
    const length = view.getUint8(at + 1);
    const authentication = next === 51;
    if (next === 44 && (view.getUint16(at + 2) & 0xfff9) !== 0) return undefined; // a fragment, as above
    next = view.getUint8(at);
    at += authentication ? (length + 2) * 4 : (length + 1) * 8;
  }
  const body = ip.subarray(at);
  const tail = Uint8Array.of(0, 0, body.length >> 8, body.length & 255, 0, 0, 0, next);
  return transportFault(next, Buffer.concat([ip.subarray(8, 40), tail]), body);
}

/** What is wrong with an IP packet, without what carries it; undefined for a packet any host would take. */
export function faultOfIp(ip: Uint8Array): string | undefined {
  try {
    return (ip[0] ?? 0) >> 4 === 6 ? fault6(ip) : fault4(ip);
  } catch (error) {
    if (error instanceof RangeError) return "truncated";
    throw error;
  }
}

/** The same for a frame; Ethernet padding is not allowed for: the tables have none. */
export function faultOf(frame: Uint8Array): string | undefined {
  const type = Buffer.from(frame.subarray(12, 14)).toString("hex");
  if (type !== "0800" && type !== "86dd") return `EtherType ${type}`;
  return faultOfIp(frame.subarray(14));
}
