// SPDX-License-Identifier: Apache-2.0
// SCTP packets as frames in hex, built from their fields; the checksum runs over all bytes, by table.

import { withSctpChecksum } from "./crc32c.ts";
import { bytes } from "./hex.ts";
import { onesComplementSum } from "./valid-packet.ts";
import { end } from "./world.ts";

/** MACs of a frame that comes in by, or leaves by, a device of topology.ts. */
export const atClient = { to: "020000000021", from: "02000000ff10" };
export const toClient = { to: "02000000ff10", from: "020000000021" };
export const atServer = { to: "020000000022", from: "02000000ff20" };
export const toServer = { to: "02000000ff20", from: "020000000022" };
export const atUplink = { to: "020000000011", from: "02000000ff99" };
export const toUplink = { to: "02000000ff99", from: "020000000011" };

/** Addresses there, ready for a port behind them. */
export const sctpEnds = {
  4: {
    client: "10.0.0.10",
    server: "10.0.0.20",
    remote: "192.0.2.20",
    node: "192.0.2.1",
    outside: "203.0.113.5",
    vip: (host: number): string => `10.96.0.${host}`,
  },
  6: {
    client: "[fd00::10]",
    server: "[fd00::20]",
    remote: "[2001:db8:2::20]",
    node: "[2001:db8:2::1]",
    outside: "[2001:db8:99::5]",
    vip: (host: number): string => `[fd00:96::${host}]`,
  },
} as const;

/** Chunks in hex (RFC 9260 section 3.3), padded. */
export const chunks = {
  init: "01000014 0000a001 0000fc00 000a 000a 00000001",
  initAck: "0200001c 0000b001 0000fc00 000a 000a 00000001 00070008 c0c0c0c0",
  cookieEcho: "0a000008 c0c0c0c0",
  cookieAck: "0b000004",
  data: "00030013 00000001 0000 0000 00000000 68656c00",
  sack: "03000010 00000001 0000fc00 0000 0000",
  heartbeat: "0400000c 00010008 01020304",
  shutdown: "07000008 00000001",
  shutdownAck: "08000004",
  shutdownComplete: "0e000004",
  abort: "06000004",
} as const;

export interface SctpFields {
  /** MACs, hex. */
  readonly to: string;
  readonly from: string;
  /** "10.0.0.10:50000" or "[fd00::10]:50000" */
  readonly src: string;
  readonly dst: string;
  /** hex */
  readonly chunks: string;
  /** IPv4 time to live or IPv6 hop limit; 64 when not given */
  readonly ttl?: number;
  /** Between the IP header and SCTP's: IPv4 options, or an IPv6 extension header, whose own type comes first. */
  readonly headers?: { readonly type: number; readonly hex: string };
  /** Of IPv4, flags and offset: 4000 (don't fragment) when not given. */
  readonly fragment?: string;
  /** In place of the right one, hex as on the wire. */
  readonly checksum?: string;
}

const hexOf = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const u16 = (value: number): string => value.toString(16).padStart(4, "0");

/** Common header and chunks. */
function sctpOf(fields: SctpFields): string {
  const ports = u16(end(fields.src).port) + u16(end(fields.dst).port);
  const packet = bytes(`${ports} 0000b001 ${fields.checksum ?? "00000000"} ${fields.chunks}`);
  return hexOf(fields.checksum === undefined ? withSctpChecksum(packet) : packet);
}

function frame4(fields: SctpFields, addresses: string, sctp: string): string {
  const options = (fields.headers?.hex ?? "").replace(/\s/g, "");
  const words = 5 + options.length / 8;
  const length = words * 4 + sctp.length / 2;
  const before = `4${words.toString(16)}00 ${u16(length)} 0001 ${fields.fragment ?? "4000"} ${u16((fields.ttl ?? 64) * 256 + 132)}`;
  const sum = 0xffff - onesComplementSum([bytes(before), bytes(addresses), bytes(options)]);
  return `0800 ${before} ${u16(sum)} ${addresses} ${options}`;
}

function frame6(fields: SctpFields, addresses: string, sctp: string): string {
  const headers = (fields.headers?.hex ?? "").replace(/\s/g, "");
  const next = (fields.headers?.type ?? 132) * 256 + (fields.ttl ?? 64);
  return `86dd 60000000 ${u16((headers.length + sctp.length) / 2)} ${u16(next)} ${addresses} ${headers}`;
}

/** A frame in hex. */
export function sctpFrame(fields: SctpFields): string {
  const v4 = !fields.src.startsWith("[");
  const addresses = [fields.src, fields.dst].map((text) => hexOf(end(text).addr.slice(v4 ? 12 : 0))).join("");
  const sctp = sctpOf(fields);
  const ip = v4 ? frame4(fields, addresses, sctp) : frame6(fields, addresses, sctp);
  return `${fields.to} ${fields.from} ${ip} ${sctp}`;
}

/** The frame without what belongs to the link: the IP packet in hex. */
export function ipOf(frame: string): string {
  return frame.replace(/\s/g, "").slice(28);
}
