// SPDX-License-Identifier: Apache-2.0
// Addresses of the reference model: its own reading of their text forms, so that a fault in src/model/ip.ts shows.

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  /** One text for one address: dotted decimal, or eight groups of four hex digits. */
  readonly text: string;
}

/** Row 12: spaces around, leading zeros (decimal) in IPv4. Throws on what is no address: worlds hold none. */
export function addressOf(written: string): Address {
  const text = written.trim();
  return text.includes(":") ? { family: 6, text: groupsOf(text) } : { family: 4, text: dottedOf(text) };
}

function dottedOf(text: string): string {
  const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number.parseInt(part, 10) : -1));
  if (parts.length !== 4 || parts.some((part) => part < 0 || part > 255)) throw new Error(`not an address: ${text}`);
  return parts.join(".");
}

function groupsOf(text: string): string {
  const [head = "", tail, ...more] = text.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = 8 - first.length - last.length;
  const whole = tail === undefined ? gap === 0 : gap > 0;
  const groups = [...first, ...Array<string>(tail === undefined ? 0 : Math.max(gap, 0)).fill("0"), ...last];
  if (!whole || more.length > 0 || groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) {
    throw new Error(`not an address: ${text}`);
  }
  return groups.map((group) => group.toLowerCase().padStart(4, "0")).join(":");
}

/** `10.0.0.1:80`, `[fd00::1]:80` in the model's one text form. */
export function endpointOf(written: string): string {
  const at = written.lastIndexOf(":");
  const address = addressOf(written.slice(0, at).replace(/^\[|\]$/g, ""));
  return endpointText(address, Number(written.slice(at + 1)));
}

export function endpointText({ text }: Address, port: number): string {
  return `[${text}]:${port}`;
}

export interface Range {
  readonly family: Family;
  readonly length: number;
  readonly bits: string;
}

/** "10.0.0.0/8"; what stands behind the prefix is not looked at. Undefined for what is no range. */
export function rangeOf(written: string): Range | undefined {
  const [head = "", length = ""] = written.trim().split("/");
  if (!/^\d{1,3}$/.test(length) || !/^[0-9a-fA-F.:]+$/.test(head)) return undefined;
  const address = addressOf(head);
  const bits = bitsOf(address);
  if (Number(length) > bits.length) return undefined;
  return { family: address.family, length: Number(length), bits: bits.slice(0, Number(length)) };
}

export function holds({ family, bits }: Range, address: Address): boolean {
  return family === address.family && bitsOf(address).startsWith(bits);
}

function bitsOf({ family, text }: Address): string {
  const [separator, radix, width] = family === 4 ? [".", 10, 8] : [":", 16, 16];
  return text
    .split(separator)
    .map((part) => Number.parseInt(part, radix).toString(2).padStart(width, "0"))
    .join("");
}
