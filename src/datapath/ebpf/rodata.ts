// SPDX-License-Identifier: Apache-2.0
// Numbers as the bytes that a `const volatile` variable, or a map, has them in: host byte order.

import { HOST_LITTLE_ENDIAN } from "./codec.ts";

/** A __u32 that is 0 or 1. */
export function flag(on: boolean): Uint8Array {
  return u32(on ? 1 : 0);
}

export function u16(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(2));
  view.setUint16(0, value, HOST_LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}

export function u32(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, HOST_LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}

export function u64(value: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value, HOST_LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}
