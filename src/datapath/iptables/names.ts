// SPDX-License-Identifier: Apache-2.0
// Names of chains, as kube-proxy has them: what people look for, and what their tools know. Pure.

import { createHash } from "node:crypto";
import type { CompiledService, Member } from "../../compile/state.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Chains have names of 28 characters at most. */
const HASH_CHARACTERS = 16;
const BITS_OF_CHARACTER = 5;

/** `namespace/name:port`; a port without a name has no colon. */
export function servicePortName({ namespace, name, portName }: CompiledService): string {
  return `${namespace}/${name}${portName === "" ? "" : `:${portName}`}`;
}

/** Of a Service's chains but KUBE-SEP-. */
export function serviceHash(service: CompiledService): string {
  return hash(`${servicePortName(service)}${service.protocol.toLowerCase()}`);
}

/** Of the chain of one endpoint. */
export function endpointHash(service: CompiledService, member: Member): string {
  return hash(`${servicePortName(service)}${service.protocol.toLowerCase()}${endpointName(member)}`);
}

/** `10.9.1.10:8080`, `[fd00:9:1::10]:8080` */
export function endpointName({ address, port }: Member): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The first 80 bits of SHA-256, in base32. */
function hash(text: string): string {
  const bytes = createHash("sha256").update(text).digest();
  let characters = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes.subarray(0, (HASH_CHARACTERS * BITS_OF_CHARACTER) / 8)) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= BITS_OF_CHARACTER; bits -= BITS_OF_CHARACTER) {
      characters += ALPHABET[(held >> (bits - BITS_OF_CHARACTER)) & 0x1f];
    }
    held &= 0xff;
  }
  return characters;
}
