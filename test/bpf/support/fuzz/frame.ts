// SPDX-License-Identifier: Apache-2.0
// An independent reading of a frame for the fuzzer: whose packet it is, where its ends stand, which sums a rewrite must
// keep. An ICMP error is read as a packet of the other direction of what it quotes. Shares nothing with bpf/.

const TCP = 6;
const UDP = 17;
const SCTP = 132;
/** The least that each has behind the IP header; of SCTP its header and that of one chunk. */
const SMALLEST: Readonly<Record<number, number>> = { [TCP]: 20, [UDP]: 8, [SCTP]: 16 };
/** Where TCP and UDP have their checksum. */
const CHECKSUMS: Readonly<Record<number, number>> = { [TCP]: 16, [UDP]: 6 };
const SCTP_CHUNKS_READ = 4;
const FRAGMENT = 44;
const EXTENSIONS = new Set([0, 43, FRAGMENT, 51, 60]);
/** The programs give a packet up as not theirs behind so many. */
const EXTENSIONS_MAX = 6;
const ETHERNET = 14;

/** Offsets are bytes in the frame; addresses are 4 or 16 bytes by the family. */
export interface Reading {
  readonly v4: boolean;
  readonly proto: number;
  readonly ip: number;
  /** 0: a later fragment, whose ports stand elsewhere. */
  readonly sport: number;
  readonly dport: number;
  /** Where the source stands: the first one decides. */
  readonly sources: readonly number[];
  readonly destinations: readonly number[];
  /** Checksum over the ends; 0: not in this packet, or SCTP's. */
  readonly checksum: number;
  /** Bytes from sport's or dport's header on that the SCTP checksum covers; 0: not known, or another protocol. */
  readonly sctp: number;
  /** Where the transport header stands. */
  readonly transport: number;
  /** The IP header that an ICMP error quotes, and the message's own checksum; 0: it is none. */
  readonly quote: number;
  readonly icmpChecksum: number;
  /** Of SCTP what its chunks mean: INIT is SYN, INIT ACK SYN and ACK. */
  readonly tcpFlags: number;
  readonly fragment: boolean;
}

interface Header {
  readonly proto: number;
  readonly transport: number;
  readonly end: number;
  readonly source: number;
  readonly destination: number;
  readonly fragment: boolean;
  readonly later: boolean;
}

/** Its lengths contradict each other. */
export const MALFORMED = "malformed";

function header4(frame: Buffer, at: number, quoted: boolean): Header | typeof MALFORMED | undefined {
  if (at + 20 > frame.length || frame.readUInt8(at) >> 4 !== 4) return undefined;
  const size = (frame.readUInt8(at) & 15) * 4;
  const total = frame.readUInt16BE(at + 2);
  if (size < 20 || total < size || (!quoted && at + total > frame.length)) return MALFORMED;
  const fragmented = frame.readUInt16BE(at + 6);
  return {
    proto: frame.readUInt8(at + 9),
    transport: at + size,
    end: at + total,
    source: at + 12,
    destination: at + 16,
    fragment: (fragmented & 0x3fff) !== 0,
    later: (fragmented & 0x1fff) !== 0,
  };
}

function header6(frame: Buffer, at: number, quoted: boolean): Header | typeof MALFORMED | undefined {
  if (at + 40 > frame.length || frame.readUInt8(at) >> 4 !== 6) return undefined;
  const payload = frame.readUInt16BE(at + 4);
  const end = at + 40 + payload;
  if (payload === 0) return undefined;
  if (!quoted && end > frame.length) return MALFORMED;
  let proto = frame.readUInt8(at + 6);
  let transport = at + 40;
  let [fragment, later] = [false, false];
  for (let i = 0; i < EXTENSIONS_MAX && !later && EXTENSIONS.has(proto); i++) {
    if (transport + 8 > Math.min(end, frame.length)) return MALFORMED;
    const length = frame.readUInt8(transport + 1);
    if (proto === 43 && frame.readUInt8(transport + 3) !== 0) return undefined;
    if (proto === FRAGMENT) {
      const offset = frame.readUInt16BE(transport + 2);
      fragment = (offset & 0xfff9) !== 0;
      later = (offset & 0xfff8) !== 0;
    }
    const next = frame.readUInt8(transport);
    transport += proto === FRAGMENT ? 8 : proto === 51 ? (length + 2) * 4 : (length + 1) * 8;
    proto = next;
  }
  return { proto, transport, end, source: at + 8, destination: at + 24, fragment, later };
}

/** Undefined for what no program may touch: neither IP, nor whole, nor TCP, UDP, SCTP or an ICMP error about one of them. */
export function readFrame(frame: Buffer): Reading | undefined {
  const reading = readPacket(frame);
  return reading === MALFORMED ? undefined : reading;
}

/** The same, but tells what is cut off, or made wrong, from what is another protocol's. */
export function readPacket(frame: Buffer): Reading | typeof MALFORMED | undefined {
  const type = frame.length >= ETHERNET ? frame.readUInt16BE(12) : 0;
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  const v4 = type === 0x0800;
  const header = v4 ? header4(frame, ETHERNET, false) : header6(frame, ETHERNET, false);
  if (!header || header === MALFORMED) return header;
  if (header.proto === (v4 ? 1 : 58)) return readError(frame, v4, header);
  if (SMALLEST[header.proto] === undefined) return undefined;
  const { transport, end, later } = header;
  if (!later && !fits(frame, v4, header)) return MALFORMED;
  const flags = later ? 0 : flagsOf(frame, header);
  if (flags === undefined) return MALFORMED;
  return {
    v4,
    proto: header.proto,
    ip: ETHERNET,
    sport: later ? 0 : transport,
    dport: later ? 0 : transport + 2,
    sources: [header.source],
    destinations: [header.destination],
    checksum: later || header.proto === SCTP ? 0 : transport + (CHECKSUMS[header.proto] ?? 0),
    sctp: header.proto === SCTP && !header.fragment ? end - transport : 0,
    transport,
    quote: 0,
    icmpChecksum: 0,
    tcpFlags: flags,
    fragment: header.fragment,
  };
}

/** Whether the transport header and what it says of its own length fit the packet (RFC 768, RFC 9293). */
function fits(frame: Buffer, v4: boolean, { proto, transport, end, fragment }: Header): boolean {
  if (transport + (SMALLEST[proto] ?? 0) > end) return false;
  const room = fragment ? 65535 : end - transport;
  if (proto === UDP) {
    const length = frame.readUInt16BE(transport + 4);
    return length === 0 ? !v4 : length >= 8 && length <= room;
  }
  if (proto === SCTP) return true;
  const header = (frame.readUInt8(transport + 12) >> 4) * 4;
  return header >= 20 && header <= room;
}

function flagsOf(frame: Buffer, { proto, transport, end, fragment }: Header): number | undefined {
  if (proto === TCP) return frame.readUInt8(transport + 13);
  return proto === SCTP ? chunkFlags(frame, transport + 12, end, fragment) : 0;
}

/** RFC 9260: INIT (1), INIT ACK (2) and DATA (0) come first or alone, ABORT (6) and SHUTDOWN COMPLETE (14) end it. */
function chunkFlags(frame: Buffer, first: number, end: number, fragment: boolean): number | undefined {
  let at = first;
  for (let i = 0; i < SCTP_CHUNKS_READ && at + 4 <= end; i++) {
    const [kind, length] = [frame.readUInt8(at), frame.readUInt16BE(at + 2)];
    if (length < 4 || (at + length > end && !fragment)) return undefined;
    if (kind === 1) return length < 20 ? undefined : 0x02;
    if (kind === 2) return 0x12;
    if (kind === 6 || kind === 14) return 0x04;
    if (kind === 0) return 0;
    at += Math.ceil(length / 4) * 4;
  }
  return 0;
}

const ERRORS4 = new Set([3, 5, 11, 12]);
const ERRORS6 = new Set([1, 2, 3, 4]);

function readError(frame: Buffer, v4: boolean, outer: Header): Reading | undefined {
  if (outer.fragment || outer.transport + 8 > frame.length) return undefined;
  const kind = frame.readUInt8(outer.transport);
  // ICMPv6 redirects quote in an option; no frame of the fuzzer is one on purpose
  if (!(v4 ? ERRORS4 : ERRORS6).has(kind)) return undefined;
  const quote = outer.transport + 8;
  const inner = v4 ? header4(frame, quote, true) : header6(frame, quote, true);
  if (!inner || inner === MALFORMED || inner.later || SMALLEST[inner.proto] === undefined) return undefined;
  if (inner.transport + 8 > outer.end || !sameBytes(frame, inner.source, outer.destination, v4 ? 4 : 16)) {
    return undefined;
  }
  const checksum = inner.transport + (CHECKSUMS[inner.proto] ?? outer.end);
  // One that says it is shorter than its header has no checksum.
  const summed = inner.proto === SCTP && !inner.fragment && inner.transport + 12 <= Math.min(inner.end, outer.end);
  const fromEnd = sameBytes(frame, inner.destination, outer.source, v4 ? 4 : 16);
  return {
    v4,
    proto: inner.proto,
    ip: ETHERNET,
    sport: inner.transport + 2,
    dport: inner.transport,
    sources: fromEnd ? [inner.destination, outer.source] : [inner.destination],
    destinations: [inner.source, outer.destination],
    checksum: checksum + 2 > outer.end ? 0 : checksum,
    sctp: summed ? inner.end - inner.transport : 0,
    transport: inner.transport,
    quote,
    icmpChecksum: outer.transport + 2,
    tcpFlags: 0,
    fragment: false,
  };
}

function sameBytes(frame: Buffer, a: number, b: number, size: number): boolean {
  return frame.compare(frame, a, a + size, b, b + size) === 0;
}

/** `proto address:port` of an end, in raw bytes: a key, not for people. */
export function endKey(frame: Buffer, reading: Reading, which: "source" | "destination"): string {
  const address = (which === "source" ? reading.sources : reading.destinations)[0] ?? 0;
  const port = which === "source" ? reading.sport : reading.dport;
  return rawEnd(
    frame.toString("latin1", address, address + (reading.v4 ? 4 : 16)),
    port === 0 ? 0 : frame.readUInt16BE(port),
  );
}

export function rawEnd(address: string, port: number): string {
  return address + String.fromCharCode(port >> 8, port & 255);
}

function words(frame: Buffer, from: number, size: number): number {
  let total = 0;
  for (let at = from; at < from + size; at += 2) total += frame.readUInt16BE(at);
  return total;
}

/**
 * The ones' complement sums (mod 65535) that translation keeps: each over all that it may change and the checksum that
 * makes good for it. What was right stays right by it, what was wrong stays wrong by as much.
 */
export function keptSums(frame: Buffer, reading: Reading): readonly number[] {
  const { v4, sources, destinations, checksum, quote, icmpChecksum } = reading;
  const size = v4 ? 4 : 16;
  const sums: number[] = [];
  const [source = 0, destination = 0] = [sources[0], destinations[0]];
  const addresses = words(frame, source, size) + words(frame, destination, size);
  const ports = reading.sport === 0 ? 0 : frame.readUInt16BE(reading.sport) + frame.readUInt16BE(reading.dport);
  const stored = checksum === 0 ? 0 : frame.readUInt16BE(checksum);
  const counted = checksum !== 0 && !(reading.proto === UDP && stored === 0);
  if (counted) sums.push((addresses + ports + stored) % 65535);
  if (v4) sums.push(words(frame, reading.ip, 20) % 65535);
  if (quote === 0) return sums;
  if (v4) sums.push(words(frame, quote, 20) % 65535);
  const outer = v4 ? 0 : words(frame, reading.ip + 8, 32);
  const headerChecksum = v4 ? frame.readUInt16BE(quote + 10) : 0;
  const crc = reading.sctp === 0 ? 0 : words(frame, reading.transport + 8, 4);
  sums.push((outer + addresses + headerChecksum + ports + crc + stored + frame.readUInt16BE(icmpChecksum)) % 65535);
  return sums;
}
