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

/**
 * Reads an address as kube-proxy does: surrounding white space is dropped, leading zeros of IPv4 octets are decimal
 * (behaviour row 12). Undefined if it is none; a zone (%eth0) makes it none.
 */
export function parseIp(text: string): Ip | undefined {
  const groups = parseGroups(text.trim());
  if (!groups) return undefined;
  const canonical = format(groups);
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

export function familyOf(ip: Ip): Family {
  return ip.includes(":") ? 6 : 4;
}

/** 16 bytes in wire order. */
export function ipToBytes(ip: Ip): Uint8Array {
  const groups = parseGroups(ip);
  if (!groups) throw new Error(`${JSON.stringify(ip)} is not an IP address: make one with parseIp()`);
  const bytes = new Uint8Array(16);
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] ?? 0;
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  }
  return bytes;
}

/** From 4 or 16 bytes in wire order. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new Error(`an IP address of ${bytes.length} bytes: must be 4 or 16`);
  const groups: number[] = bytes.length === 4 ? [...MAPPED] : [];
  for (let i = 0; i < bytes.length; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  return format(groups);
}

/**
 * A value whose < orders (address, port) by their bytes, among addresses of one family: 48 bits as a number for IPv4,
 * nine UTF-16 units for IPv6.
 */
export function endpointOrder(ip: Ip, port: number): number | string {
  const groups = parseGroups(ip) ?? [];
  if (!ip.includes(":")) return ((groups[6] ?? 0) * 0x10000 + (groups[7] ?? 0)) * 0x10000 + port;
  return String.fromCharCode(...groups, port);
}

/** Eight 16-bit groups, IPv4 mapped. */
function parseGroups(text: string): number[] | undefined {
  if (!text.includes(":")) {
    const v4 = parse4(text);
    return v4 && [...MAPPED, ...v4];
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseHexGroups(halves[0] ?? "", halves.length === 1);
  if (halves.length === 1) return head?.length === 8 ? head : undefined;
  const tail = parseHexGroups(halves[1] ?? "", true);
  if (!head || !tail || head.length + tail.length > 7) return undefined;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** One side of "::". Only the last part of the address may be dotted decimal. */
function parseHexGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes(".")) {
      const v4 = parse4(part);
      if (!v4) return undefined;
      groups.push(...v4);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** Dotted decimal as two 16-bit groups. A loop over characters: this runs for every endpoint of the cluster. */
function parse4(text: string): [number, number] | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
    } else {
      if (code < 0x30 || code > 0x39) return undefined;
      octet = Math.max(octet, 0) * 10 + (code - 0x30);
      if (octet > 255) return undefined;
    }
  }
  if (octet < 0 || dots !== 3) return undefined;
  value = value * 256 + octet;
  return [Math.floor(value / 0x10000), value % 0x10000];
}

function format(groups: readonly number[]): Ip {
  if (MAPPED.every((group, i) => groups[i] === group)) {
    const [high = 0, low = 0] = groups.slice(6);
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}` as Ip;
  }
  const [start, length] = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return hex(groups) as Ip;
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}` as Ip;
}

/** The leftmost of the longest runs (RFC 5952, 4.2.3). */
function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let run = 0;
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run > best[1]) best = [i - run + 1, run];
  }
  return best;
}
