// SPDX-License-Identifier: Apache-2.0
// The service_meta map by syscalls: seldom written, and mapped into memory it would be a quarter of the agent's.

import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "./codec.ts";
import type { WriteHook } from "./mapped-array.ts";

/** A cell nobody uses. */
const EMPTY: Buffer = Buffer.alloc(abi.serviceMeta.size);

export class ServiceMetaTable {
  readonly name: string;
  readonly length: number;
  readonly #map: BpfMap;
  readonly #hook: WriteHook | undefined;

  constructor(map: BpfMap, hook?: WriteHook) {
    this.name = map.name;
    this.length = map.maxEntries;
    this.#map = map;
    this.#hook = hook;
  }

  /** Every cell that holds something, by id. */
  all(): Map<number, abi.ServiceMeta> {
    const found = new Map<number, abi.ServiceMeta>();
    for (const [key, value] of this.#map.entries()) {
      if (EMPTY.equals(value)) continue;
      const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, HOST_LITTLE_ENDIAN);
      found.set(id, decode(abi.serviceMeta, value));
    }
    return found;
  }

  isInUse(id: number): boolean {
    const value = this.#map.lookup(keyOf(id));
    return value !== undefined && (decode(abi.serviceMeta, value).flags & abi.ServiceMetaFlags.SERVICE_IN_USE) !== 0;
  }

  /** Throws RangeError when a name is too long, before anything is written. */
  write(id: number, meta: abi.ServiceMeta): void {
    this.#update(id, encode(abi.serviceMeta, meta));
  }

  clear(id: number): void {
    this.#update(id, new Uint8Array(abi.serviceMeta.size));
  }

  #update(id: number, value: Uint8Array): void {
    this.#map.update(keyOf(id), value);
    this.#hook?.(this.name, id);
  }
}

/** Key of an array map: host order. */
function keyOf(id: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(id).buffer);
}
