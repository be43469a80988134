// SPDX-License-Identifier: Apache-2.0
// Packets as people write them: hex digits, spaces and line ends as they like, one header a line.

/** Throws on anything that is not whole bytes. */
export function bytes(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`not hex bytes: ${text}`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** 16 bytes a line, for a readable difference. */
export function dump(data: Uint8Array): string {
  const digits = Buffer.from(data).toString("hex");
  return (digits.match(/.{1,32}/g) ?? []).join("\n");
}

/** One packet of a table with other bytes at an offset: for what is wrong in one place. */
export function altered(text: string, offset: number, replacement: string): string {
  const data = bytes(text);
  data.set(bytes(replacement), offset);
  return Buffer.from(data).toString("hex");
}

/** Bytes that count from 0, over and over, as ping sends them. */
export function counting(length: number): string {
  return Buffer.from(Array.from({ length }, (_, at) => at)).toString("hex");
}
