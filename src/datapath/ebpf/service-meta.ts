// SPDX-License-Identifier: Apache-2.0
// The service_meta map: mapped only while many cells are written or read, for all of it would be much of the agent's memory.

import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { encode } from "./codec.ts";
import { MappedArray, type WriteHook } from "./mapped-array.ts";

export class ServiceMetaTable {
  readonly name: string;
  readonly length: number;
  readonly #cells: MappedArray;

  constructor(map: BpfMap, hook?: WriteHook) {
    this.name = map.name;
    this.length = map.maxEntries;
    this.#cells = new MappedArray(map, abi.serviceMeta.size, hook);
  }

  /** Every cell that holds something, by id. */
  all(): Map<number, abi.ServiceMeta> {
    const found = new Map<number, abi.ServiceMeta>();
    for (let id = 0; id < this.length; id++) if (!this.#cells.isZero(id)) found.set(id, this.#read(id));
    return found;
  }

  isInUse(id: number): boolean {
    return (this.#read(id).flags & abi.ServiceMetaFlags.SERVICE_IN_USE) !== 0;
  }

  /** Throws RangeError when a name is too long, before anything is written. */
  write(id: number, meta: abi.ServiceMeta): void {
    const bytes = encode(abi.serviceMeta, meta);
    this.#cells.reach(id + 1);
    this.#cells.bytes.set(bytes, this.#cells.offset(id));
    this.#cells.written(id);
  }

  clear(id: number): void {
    this.#cells.reach(id + 1);
    this.#cells.clear(id);
  }

  /** What is mapped is given back; the next use maps it again. */
  unmap(): void {
    this.#cells.fit(1);
  }

  #read(id: number): abi.ServiceMeta {
    this.#cells.reach(id + 1);
    return abi.serviceMeta.read(this.#cells.view, this.#cells.offset(id));
  }
}
