// SPDX-License-Identifier: Apache-2.0
// Counters of ids that became free go back to zero, so that the next owner of an id starts from nothing.

import type { BpfMap } from "../../libbpf/types.ts";

export class StatsReset {
  readonly #map: BpfMap;
  #ids: number[] = [];

  constructor(map: BpfMap) {
    this.#map = map;
  }

  add(id: number): void {
    this.#ids.push(id);
  }

  /** Writes the zeros, in one batch. */
  flush(): void {
    const ids = this.#ids;
    const first = ids[0];
    if (first === undefined) return;
    this.#ids = [];
    const bytes = this.#map.lookup(new Uint8Array(Uint32Array.of(first).buffer))?.length ?? 0;
    const keys = new Uint8Array(Uint32Array.from(ids).buffer);
    this.#map.updateBatch(keys, new Uint8Array(bytes * ids.length), ids.length);
  }
}
