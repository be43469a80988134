// SPDX-License-Identifier: Apache-2.0
// CRC32c by table, byte for byte over the whole message (RFC 9260 appendix A), as a check on who changes it otherwise.

const REFLECTED_POLYNOMIAL = 0x82f63b78;

const byteTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ REFLECTED_POLYNOMIAL : value >>> 1;
  return value;
});

/** Of all bytes, as a number; an SCTP header holds its least significant byte first. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (byteTable[(crc ^ byte) & 255] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The packet with its checksum field made right: that counts as zero. */
export function withSctpChecksum(packet: Uint8Array): Uint8Array {
  const whole = packet.slice();
  const view = new DataView(whole.buffer);
  view.setUint32(8, 0);
  view.setUint32(8, crc32c(whole), true);
  return whole;
}
