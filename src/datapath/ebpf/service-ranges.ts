// SPDX-License-Identifier: Apache-2.0
// The cell of the service_ranges map: where the cluster gives ClusterIPs from, so that an address of no Service is known
// as one. A packet may look at it between any two writes: what it reads of a range must be the old, the new or none.

import type { BpfMap } from "../../libbpf/types.ts";
import { type Cidr, familyOf, type Ip, ipFromBytes, ipToBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";

const KEY = new Uint8Array(4);
const { SERVICE_RANGES } = abi.Limits;

/** prefix as in the cell. */
interface Slot {
  readonly address: Ip;
  readonly prefix: number;
}

export class ServiceRangeTable {
  readonly #map: BpfMap;
  #slots: readonly Slot[] = [];

  constructor(map: BpfMap) {
    this.#map = map;
  }

  adopt(): void {
    const { used, range } = decode(abi.serviceRanges, this.#map.lookup(KEY) ?? new Uint8Array(abi.serviceRanges.size));
    this.#slots = range.slice(0, used).map(({ addr, prefix }) => ({ address: ipFromBytes(addr), prefix }));
  }

  get ranges(): readonly Cidr[] {
    const used = this.#slots.filter(({ prefix }) => prefix > 0);
    return used.map(({ address, prefix }) => ({ address, prefixLength: prefix - (familyOf(address) === 4 ? 96 : 0) }));
  }

  /** Makes these the ranges. Returns how many there was no room for. */
  replace(ranges: readonly Cidr[]): number {
    const wanted = new Map(ranges.map((range) => [slotName(toSlot(range)), toSlot(range)]));
    const kept = this.#slots.map((slot) => (wanted.delete(slotName(slot)) ? slot : { ...slot, prefix: 0 }));
    this.#write(kept);
    const missing = [...wanted.values()];
    const free = (slot: Slot | undefined) => slot === undefined || slot.prefix === 0;
    const filled = Array.from({ length: SERVICE_RANGES }, (_, i) => (free(kept[i]) ? missing.shift() : kept[i]));
    const last = filled.findLastIndex((slot) => slot !== undefined);
    const next = filled.slice(0, last + 1).map((slot) => slot ?? NO_SLOT);
    this.#write(next.map((slot, i) => (free(kept[i]) ? { ...slot, prefix: 0 } : slot)));
    this.#write(next);
    return missing.length;
  }

  #write(slots: readonly Slot[]): void {
    if (slots.map(slotName).join() === this.#slots.map(slotName).join()) return;
    const range = slots.map(({ address, prefix }) => ({ addr: ipToBytes(address), prefix }));
    this.#map.update(KEY, encode(abi.serviceRanges, { used: slots.length, range }));
    this.#slots = slots;
  }
}

const NO_SLOT: Slot = { address: "::" as Ip, prefix: 0 };

function toSlot({ address, prefixLength }: Cidr): Slot {
  return { address, prefix: familyOf(address) === 4 ? 96 + prefixLength : prefixLength };
}

function slotName({ address, prefix }: Slot): string {
  return `${address}/${prefix}`;
}
