// SPDX-License-Identifier: Apache-2.0
// IP addresses of both families as canonical text, so that they compare with === and serve as Map keys, and as the 16
// bytes the kernel side stores (IPv4 as ::ffff:a.b.c.d). An IPv4-mapped IPv6 address is the IPv4 address.

export type Family = 4 | 6;

/** Canonical text: dotted decimal, or RFC 5952. Only parseIp() and ipFromBytes() make one. */
export type Ip = string & { readonly brand: "Ip" };

/** An address block; the address has no bits beyond the prefix. */
export interface Cidr {
  readonly address: Ip;
  /** 0..32 or 0..128, by the address's family */
  readonly prefixLength: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff] as const;

/** The address at hand, IPv4 mapped. One for all: addresses are read several times for each endpoint of a change. */
const groups = new Uint16Array(8);

/**
 * Reads an address as kube-proxy does: surrounding white space is dropped, leading zeros of IPv4 octets are decimal
 * (behaviour row 12). Undefined if it is none; a zone (%eth0) makes it none.
 */
export function parseIp(text: string): Ip | undefined {
  if (!parse(text.trim())) return undefined;
  const canonical = format();
  // The given string is in one piece in memory, the one just put together is not.
  return canonical === text ? (text as Ip) : canonical;
}

/** Reads `address/prefix`, as sloppily as parseIp(); bits beyond the prefix are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/0*(\d{1,3})$/.exec(text.trim());
  const ip = parseIp(match?.[1] ?? "");
  if (!match || ip === undefined) return undefined;
  const prefixLength = Number(match[2]);
  const width = familyOf(ip) === 4 ? 32 : 128;
  if (prefixLength > width) return undefined;
  const bytes = ipToBytes(ip);
  for (let bit = 128 - width + prefixLength; bit < 128; bit++) {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  }
  return { address: ipFromBytes(bytes), prefixLength };
}

/** Whether the address, of either family, lies in the block. */
export function isInCidr(ip: Ip, { address, prefixLength }: Cidr): boolean {
  if (familyOf(ip) !== familyOf(address)) return false;
  const bits = prefixLength + (familyOf(address) === 4 ? 96 : 0);
  const [given, wanted] = [ipToBytes(ip), ipToBytes(address)];
  for (let i = 0; i < 16; i++) {
    const mask = 0xff & ~(0xff >> Math.min(8, Math.max(0, bits - 8 * i)));
    if (((given[i] ?? 0) & mask) !== ((wanted[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** isInCidr() of this block, for many addresses: it allocates nothing. */
export function cidrMatcher({ address, prefixLength }: Cidr): (ip: Ip) => boolean {
  const family = familyOf(address);
  const bits = prefixLength + (family === 4 ? 96 : 0);
  parseOwn(address);
  const wanted = groups.slice();
  const masks = wanted.map((_, i) => 0xffff & ~(0xffff >> Math.min(16, Math.max(0, bits - 16 * i))));
  return (ip) => {
    if (familyOf(ip) !== family) return false;
    parseOwn(ip);
    return wanted.every((group, i) => ((groups[i] ?? 0) & (masks[i] ?? 0)) === group);
  };
}

export function familyOf(ip: Ip): Family {
  return ip.includes(":") ? 6 : 4;
}

/** 16 bytes in wire order, written to `into` where it is given. */
export function ipToBytes(ip: Ip, into: Uint8Array = new Uint8Array(16)): Uint8Array {
  parseOwn(ip);
  for (let i = 0; i < 8; i++) {
    const group = groups[i] ?? 0;
    into[2 * i] = group >> 8;
    into[2 * i + 1] = group & 0xff;
  }
  return into;
}

/** From 4 or 16 bytes in wire order. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new Error(`an IP address of ${bytes.length} bytes: must be 4 or 16`);
  groups.set(MAPPED);
  const first = 8 - bytes.length / 2;
  for (let i = 0; i < bytes.length; i += 2) groups[first + i / 2] = ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return format();
}

/**
 * A value whose < orders (address, port) by their bytes, among addresses of one family: 48 bits as a number for IPv4,
 * nine UTF-16 units for IPv6.
 */
export function endpointOrder(ip: Ip, port: number): number | string {
  parseOwn(ip);
  if (!ip.includes(":")) return ((groups[6] ?? 0) * 0x10000 + (groups[7] ?? 0)) * 0x10000 + port;
  return String.fromCharCode(...groups, port);
}

/** Throws Error for text that was made an Ip by force. */
function parseOwn(ip: Ip): void {
  if (!parse(ip)) throw new Error(`${JSON.stringify(ip)} is not an IP address: make one with parseIp()`);
}

/** Reads an address into groups; false if it is none, then they hold nothing of use. */
function parse(text: string): boolean {
  if (text.includes(":")) return parse6(text);
  groups.set(MAPPED);
  return parse4(text, 0, 6);
}

function parse6(text: string): boolean {
  let count = 0;
  let at = text.startsWith("::") ? 2 : 0;
  /** Groups in front of "::". */
  let gap = at === 0 ? -1 : 0;
  while (at < text.length) {
    const colon = text.indexOf(":", at);
    const end = colon < 0 ? text.length : colon;
    // Only the last part of the address may be dotted decimal.
    const dotted = colon < 0 && text.includes(".", at);
    if (count + (dotted ? 2 : 1) > 8) return false;
    if (dotted ? !parse4(text, at, count) : !parseGroup(text, at, end, count)) return false;
    count += dotted ? 2 : 1;
    if (colon < 0) break;
    at = colon + 1;
    if (at === text.length) return false;
    if (text[at] !== ":") continue;
    if (gap >= 0) return false;
    gap = count;
    at++;
  }
  if (gap < 0) return count === 8;
  if (count === 8) return false;
  groups.copyWithin(gap + 8 - count, gap, count);
  groups.fill(0, gap, gap + 8 - count);
  return true;
}

/** One to four hexadecimal digits. */
function parseGroup(text: string, from: number, end: number, place: number): boolean {
  if (end === from || end - from > 4) return false;
  let value = 0;
  for (let i = from; i < end; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return false;
    value = value * 16 + digit;
  }
  groups[place] = value;
  return true;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Dotted decimal to the end of the text, as two groups. */
function parse4(text: string, from: number, place: number): boolean {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return false;
      value = value * 256 + octet;
      octet = -1;
    } else {
      if (code < 0x30 || code > 0x39) return false;
      octet = Math.max(octet, 0) * 10 + (code - 0x30);
      if (octet > 255) return false;
    }
  }
  if (octet < 0 || dots !== 3) return false;
  value = value * 256 + octet;
  groups[place] = value >>> 16;
  groups[place + 1] = value & 0xffff;
  return true;
}

/** Canonical text of what is in groups. */
function format(): Ip {
  if (MAPPED.every((group, i) => groups[i] === group)) {
    const [high = 0, low = 0] = [groups[6], groups[7]];
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}` as Ip;
  }
  const [start, length] = longestZeroRun();
  if (length < 2) return hex(0, 8) as Ip;
  return `${hex(0, start)}::${hex(start + length, 8)}` as Ip;
}

function hex(from: number, end: number): string {
  return Array.from(groups.subarray(from, end), (group) => group.toString(16)).join(":");
}

/** The leftmost of the longest runs (RFC 5952, 4.2.3). */
function longestZeroRun(): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let run = 0;
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run > best[1]) best = [i - run + 1, run];
  }
  return best;
}
