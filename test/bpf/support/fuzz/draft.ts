// SPDX-License-Identifier: Apache-2.0
// Frames for the fuzzer: requests to every frontend, what may follow them, errors about them, and all of it with bytes
// changed at random, with right checksums and wrong ones.

import { answerTo, buildPacket } from "../build-packet.ts";
import { withSctpChecksum } from "../crc32c.ts";
import { type DeviceName, deviceIndex, macOf } from "../topology.ts";
import type { Service } from "../world.ts";
import { readFrame } from "./frame.ts";
import type { Random } from "./random.ts";
import { destinationOf } from "./world-of-services.ts";

export interface Draft {
  readonly hook: "ingress" | "egress";
  readonly device: DeviceName;
  /** On a device that is not ours, or with another host's MAC. */
  readonly stray: boolean;
  /** Where the first packet of the connection came in. */
  readonly clientSide: DeviceName;
  readonly frame: Buffer;
  readonly mark: number;
}

/** Where clients are: pods have one address each, whoever is outside any. */
const CLIENTS: readonly (readonly [device: DeviceName, v4: string, v6: string])[] = [
  ["uplink", "203.0.113.", "2001:db8:99::"],
  ["uplink", "203.0.113.", "2001:db8:99::"],
  ["overlay", "10.200.0.", "fd00:200::"],
  ["client", "10.0.0.10", "fd00::10"],
  ["server", "10.0.0.20", "fd00::20"],
  ["portA", "10.0.1.10", "fd00:1::10"],
];
const ELSEWHERE: readonly DeviceName[] = ["bridge", "tunnel", "stranger", "lo"];

export class Drafts {
  readonly #random: Random;
  readonly #requests: readonly Draft[];

  constructor(services: readonly Service[], random: Random) {
    this.#random = random;
    this.#requests = services.flatMap((service) => CLIENTS.map((client) => requestOf(service, client)));
  }

  /** The first packet of a connection, or one from its middle. */
  request(): Draft {
    const random = this.#random;
    const base = random.of(this.#requests);
    const frame = this.#withPayload(base.frame);
    const v4 = frame[12] === 0x08;
    const ip = 14;
    if (base.device === "uplink") frame.writeUInt8(1 + random.below(250), v4 ? ip + 15 : ip + 23);
    const transport = ip + (v4 ? 20 : 40);
    frame.writeUInt16BE(1 + random.below(65535), transport);
    if (frame.readUInt8(ip + (v4 ? 9 : 6)) === 6) {
      frame.writeUInt32BE(random.below(2 ** 32), transport + 4);
      frame.writeUInt8(random.once(4) ? random.below(64) : 2, transport + 13);
    }
    if (frame.readUInt8(ip + (v4 ? 9 : 6)) === 132 && random.once(4))
      frame.writeUInt8(random.below(16), transport + 12);
    if (v4 && random.once(40)) frame.writeUInt16BE(random.once(2) ? 0x2000 : random.below(0x4000), ip + 6);
    const stray = random.once(50);
    return { ...base, frame: this.change(frame), device: stray ? random.of(ELSEWHERE) : base.device, stray };
  }

  /** What goes on from a frame that came out: with other bytes where no address stands. */
  after(frame: Buffer): Buffer {
    const random = this.#random;
    const changed = this.#withPayload(frame);
    const reading = readFrame(changed);
    if (reading?.quote !== 0 || reading.sport === 0) return changed;
    changed.writeUInt8(random.once(20) ? 1 : 2 + random.below(250), reading.ip + (reading.v4 ? 8 : 7));
    if (reading.v4) changed.writeUInt16BE(random.below(65536), reading.ip + 4);
    if (reading.proto === 6) changed.writeUInt8(random.of([0x10, 0x12, 0x18, 0x11, 0x02, 0x14]), reading.sport + 13);
    if (reading.proto === 132) changed.writeUInt8(random.of(CHUNKS), reading.transport + 12);
    return this.change(changed);
  }

  /** What the other end sends back, as it comes in by a device; undefined for what has no ends. */
  answer(frame: Buffer, device: DeviceName): Buffer | undefined {
    const reading = readFrame(frame);
    if (reading?.quote !== 0 || reading.sport !== (reading.v4 ? 34 : 54)) return undefined;
    const answer = Buffer.from(answerTo(Uint8Array.from(frame)));
    answer.set(macs[device]);
    return this.after(answer);
  }

  /** A router's or the other end's ICMP error about a frame that went out. */
  error(about: Buffer, device: DeviceName): Buffer | undefined {
    const random = this.#random;
    const reading = readFrame(about);
    if (reading?.quote !== 0) return undefined;
    const { v4, ip } = reading;
    const quoted = about.subarray(ip, Math.min(about.length, ip + (v4 ? 28 : 48) + random.below(40)));
    const header = v4 ? 20 : 40;
    const frame = Buffer.alloc(ip + header + 8 + quoted.length);
    frame.set(macs[device]);
    frame.set(about.subarray(0, 6), 6);
    frame.set(about.subarray(12, ip), 12);
    frame.set(about.subarray(ip, ip + 2), ip);
    const [source, destination, size] = v4 ? [ip + 12, ip + 16, 4] : [ip + 8, ip + 24, 16];
    frame.writeUInt16BE(frame.length - ip - (v4 ? 0 : 40), ip + (v4 ? 2 : 4));
    frame.writeUInt8(v4 ? 64 : 58, ip + (v4 ? 8 : 6));
    frame.writeUInt8(v4 ? 1 : 64, ip + (v4 ? 9 : 7));
    if (v4) frame.writeUInt8(0x45, ip);
    frame.set(about.subarray(destination, destination + size), source);
    if (random.once(2)) frame.writeUInt8(77, source + size - 1);
    frame.set(about.subarray(source, source + size), destination);
    frame.writeUInt8(v4 ? random.of([3, 5, 11, 12]) : random.of([1, 2, 3, 4]), ip + header);
    frame.writeUInt8(random.below(6), ip + header + 1);
    frame.writeUInt32BE(random.below(1500), ip + header + 4);
    frame.set(quoted, ip + header + 8);
    makeGood(frame);
    return this.change(frame);
  }

  /** One in three has bytes changed anywhere behind the MACs; half of those get right checksums again. */
  change(frame: Buffer): Buffer {
    const random = this.#random;
    makeGood(frame);
    if (random.once(10)) withoutChecksum(frame);
    if (!random.once(3)) return frame;
    let changed = frame;
    const first = frame.length < SHORTEST[6] ? 14 : 12; // too short to say that it is IPv6
    for (let i = random.below(3); i >= 0; i--) {
      const at = first + random.below(random.once(2) ? 42 : frame.length - first);
      changed.writeUInt8(random.below(256), Math.min(at, frame.length - 1));
    }
    const shortest = shortestOf(frame);
    if (random.once(8)) changed = this.#cutOff(frame, shortest);
    if (random.once(20)) changed = Buffer.concat([changed, Buffer.alloc(1 + random.below(20))]);
    if (random.once(2)) makeGood(changed);
    return changed.length < shortestOf(changed) ? frame : changed;
  }

  /** Half of them say that they are no longer. */
  #cutOff(frame: Buffer, shortest: number): Buffer {
    const random = this.#random;
    const cut = Buffer.from(frame.subarray(0, shortest + random.below(Math.max(1, frame.length - shortest))));
    if (random.once(2)) return cut;
    if (shortest === SHORTEST[4]) cut.writeUInt16BE(cut.length - 14, 16);
    else cut.writeUInt16BE(cut.length - 54, 18);
    return cut;
  }

  #withPayload(frame: Buffer): Buffer {
    const copy = Buffer.from(frame);
    for (let i = 0; i < 4; i++) copy.writeUInt8(this.#random.below(256), copy.length - 1 - i);
    return copy;
  }
}

const macs = Object.fromEntries(
  (Object.keys(deviceIndex) as DeviceName[]).map((device) => [device, Buffer.from(macOf(device), "hex")]),
) as Readonly<Record<DeviceName, Buffer>>;

/** DATA, INIT, INIT ACK, SACK, ABORT, COOKIE ECHO, COOKIE ACK, SHUTDOWN COMPLETE (RFC 9260). */
const CHUNKS: readonly number[] = [0, 0, 1, 2, 2, 3, 6, 10, 11, 14];

/** With the IP header whole; the kernel takes no shorter packet that says it is IPv6. */
const SHORTEST = { 4: 34, 6: 54 } as const;

function shortestOf(frame: Buffer): number {
  return SHORTEST[frame.readUInt16BE(12) === 0x0800 ? 4 : 6];
}

function requestOf(service: Service, [device, v4, v6]: (typeof CLIENTS)[number]): Draft {
  const { address, port, v6: six } = destinationOf(service);
  const source = six ? v6 : v4;
  const frame = buildPacket({
    device,
    family: six ? 6 : 4,
    proto: service.proto,
    source: source.endsWith(".") || source.endsWith("::") ? `${source}99` : source,
    destination: address,
    sourcePort: 1,
    destinationPort: port,
    flags: 2,
    payload: new Uint8Array(12),
  });
  return { hook: "ingress", device, clientSide: device, stray: false, frame: Buffer.from(frame), mark: 0 };
}

/** UDP over IPv4 may go without (RFC 768); of SCTP it may be left to the device that sends it. */
function withoutChecksum(frame: Buffer): void {
  const reading = readFrame(frame);
  if (reading?.sctp && reading.quote === 0) frame.writeUInt32BE(0, reading.transport + 8);
  if (reading?.proto === 17 && reading.v4 && reading.quote === 0 && reading.checksum !== 0) {
    frame.writeUInt16BE(0, reading.checksum);
  }
}

function sum(frame: Buffer, from: number, to: number): number {
  let total = 0;
  let at = from;
  for (; at + 1 < to; at += 2) total += frame.readUInt16BE(at);
  return at < to ? total + frame.readUInt8(at) * 256 : total;
}

function complement(total: number): number {
  const folded = total % 65535;
  return folded === 0 ? (total === 0 ? 65535 : 0) : 65535 - folded;
}

/** Writes the checksums that a frame should have, as far as it can be read. */
export function makeGood(frame: Buffer): void {
  const reading = readFrame(frame);
  if (!reading) return;
  const { v4, ip, checksum, icmpChecksum, proto, quote } = reading;
  const header = v4 ? (frame.readUInt8(ip) & 15) * 4 : 40;
  if (v4) {
    frame.writeUInt16BE(0, ip + 10);
    frame.writeUInt16BE(complement(sum(frame, ip, ip + header)), ip + 10);
  }
  const end = Math.min(frame.length, v4 ? ip + frame.readUInt16BE(ip + 2) : ip + 40 + frame.readUInt16BE(ip + 4));
  const addresses = sum(frame, v4 ? ip + 12 : ip + 8, v4 ? ip + 20 : ip + 40);
  if (quote !== 0) {
    const pseudo = v4 ? 0 : addresses + 58 + end - (icmpChecksum - 2);
    frame.writeUInt16BE(0, icmpChecksum);
    frame.writeUInt16BE(complement(pseudo + sum(frame, icmpChecksum - 2, end)), icmpChecksum);
  } else if (reading.sctp !== 0) {
    const packet = frame.subarray(reading.transport, reading.transport + reading.sctp);
    packet.set(withSctpChecksum(packet));
  } else if (checksum !== 0) {
    frame.writeUInt16BE(0, checksum);
    const total = addresses + proto + end - reading.sport + sum(frame, reading.sport, end);
    frame.writeUInt16BE(complement(total) || (proto === 17 ? 65535 : 0), checksum);
  }
}
