// SPDX-License-Identifier: Apache-2.0
// What the generated codec (abi.gen.ts) stands on: byte order of the host, text and byte fields of a DataView.

import { endianness } from "node:os";

/** Second argument of DataView's getters and setters for fields in host order. */
export const HOST_LITTLE_ENDIAN: boolean = endianness() === "LE";

/** One struct of abi.h. read allocates the value; write fills every byte of the struct, padding with zeros. */
export interface Codec<T> {
  /** C name */
  readonly name: string;
  /** bytes */
  readonly size: number;
  read(view: DataView, offset: number): T;
  write(view: DataView, offset: number, value: T): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of one value, for map keys and values. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(codec.size);
  codec.write(new DataView(bytes.buffer), 0, value);
  return bytes;
}

/** Decodes the bytes of one value; throws RangeError when they are too short. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

export function readBytes(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length).slice();
}

/** Throws RangeError unless value has exactly length bytes. */
export function writeBytes(view: DataView, offset: number, length: number, value: Uint8Array): void {
  if (value.length !== length) throw new RangeError(`expected ${length} bytes, got ${value.length}`);
  for (let i = 0; i < length; i++) view.setUint8(offset + i, value[i] ?? 0);
}

/** Text of a NUL-terminated field of length bytes. */
export function readText(view: DataView, offset: number, length: number): string {
  const field = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  const end = field.indexOf(0);
  return decoder.decode(field.subarray(0, end < 0 ? length : end));
}

/** Writes UTF-8 and NULs to the end of the field; throws RangeError when text and NUL do not fit. */
export function writeText(view: DataView, offset: number, length: number, text: string): void {
  const field = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  const { read, written } = encoder.encodeInto(text, field);
  if (read < text.length || written >= length) {
    throw new RangeError(`"${text}" is longer than ${length - 1} bytes`);
  }
  field.fill(0, written);
}

export function writeZeros(view: DataView, offset: number, length: number): void {
  for (let i = 0; i < length; i++) view.setUint8(offset + i, 0);
}
