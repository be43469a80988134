// SPDX-License-Identifier: Apache-2.0
// The source_ranges map: immutable sets of rules, each stored once and shared by the blocks that name it. A set is whole
// before a block names it, and goes an RCU period after the last one. Set 0 stands for "no rules" and is never written.

import type { SourceRule } from "../../compile/state.ts";
import type { BpfMap } from "../../libbpf/types.ts";
import { familyOf, ipFromBytes, ipToBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { decode } from "./codec.ts";
import { MapFullError } from "./errors.ts";
import { IdPool } from "./id-pool.ts";
import type { Reclaimer } from "./reclaim.ts";

const { SOURCE_SET_BITS } = abi.SourceBits;
/** An IPv4 prefix is 96 bits longer as that of a mapped address. */
const MAPPED_BITS = 96;

interface SourceSet {
  readonly rules: readonly SourceRule[];
  readonly content: string;
  /** All of it is in the map: a kill may have come before it was written, or deleted. */
  readonly whole: boolean;
  references: number;
}

export class SourceSetTable {
  readonly pool: IdPool;
  readonly #map: BpfMap;
  readonly #reclaimer: Reclaimer;
  readonly #sets = new Map<number, SourceSet>();
  readonly #ids = new Map<string, number>();
  /** Entries in the map. */
  #used = 0;

  constructor(map: BpfMap, reclaimer: Reclaimer) {
    this.#map = map;
    this.#reclaimer = reclaimer;
    this.pool = new IdPool(map.maxEntries + 1);
  }

  /** Entries the map holds. */
  get used(): number {
    return this.#used;
  }

  /** Entries the map can hold. */
  get size(): number {
    return this.#map.maxEntries;
  }

  /** Whether a set of these rules can be written. */
  hasRoom(rules: readonly SourceRule[]): boolean {
    return this.#used + rules.length <= this.#map.maxEntries;
  }

  /** The id of a set that says exactly this; undefined when there is none yet. */
  find(rules: readonly SourceRule[]): number | undefined {
    return rules.length === 0 ? 0 : this.#ids.get(contentOf(rules));
  }

  /** The same, written first if need be; release() it as often. Throws MapFullError, then nothing is written. */
  acquire(rules: readonly SourceRule[]): number {
    const id = this.find(rules) ?? this.#write(rules);
    const set = this.#sets.get(id);
    if (set) set.references++;
    return id;
  }

  /** With its last reference a set cannot be found any more, and goes after an RCU period. */
  release(id: number): void {
    if (this.#drop(id)) this.#reclaimer.retire(() => this.#delete(id));
  }

  /** Like release(), for a reference that was never published: with the last one the set goes at once. */
  discard(id: number): void {
    if (this.#drop(id)) this.#delete(id);
  }

  /** Reads what an earlier agent left; nothing refers to it yet. */
  adopt(): void {
    for (const [id, { rules, entries }] of readSourceSets(this.#map)) {
      this.#used += rules.length;
      this.pool.reserve(id);
      this.#sets.set(id, { rules, content: contentOf(rules), whole: entries === rules.length, references: 0 });
    }
  }

  /** Takes a reference for a block that an earlier agent left; false when its set is not there, or not all of it. */
  adoptReference(id: number): boolean {
    if (id === 0) return true;
    const set = this.#sets.get(id);
    if (!set?.whole) return false;
    set.references++;
    this.#ids.set(set.content, id);
    return true;
  }

  /** Adopted sets that no block named: a kill may have come before they were published, or deleted. */
  retireUnnamed(): void {
    for (const [id, { references }] of this.#sets) {
      if (references === 0) this.#reclaimer.retire(() => this.#delete(id));
    }
  }

  #write(rules: readonly SourceRule[]): number {
    const id = this.hasRoom(rules) ? this.pool.take() : undefined;
    if (id === undefined) {
      throw new MapFullError("source_ranges", this.#map.maxEntries, `a set of ${rules.length} source ranges`);
    }
    const keys = packKeys(id, rules);
    const values = Buffer.alloc(rules.length * abi.sourceVerdict.size);
    for (const [i, { admit }] of rules.entries()) {
      const verdict = { admit: admit ? 1 : 0, entries: rules.length };
      abi.sourceVerdict.write(viewOf(values), i * abi.sourceVerdict.size, verdict);
    }
    try {
      this.#map.updateBatch(keys, values, rules.length);
    } catch (error) {
      this.#map.deleteBatch(keys, rules.length);
      this.pool.release(id);
      throw error;
    }
    const content = contentOf(rules);
    this.#used += rules.length;
    this.#sets.set(id, { rules, content, whole: true, references: 0 });
    this.#ids.set(content, id);
    return id;
  }

  /** Takes one reference away; true when it was the last. */
  #drop(id: number): boolean {
    const set = this.#sets.get(id);
    if (!set || --set.references > 0) return false;
    if (this.#ids.get(set.content) === id) this.#ids.delete(set.content);
    return true;
  }

  #delete(id: number): void {
    const rules = this.#sets.get(id)?.rules ?? [];
    this.#map.deleteBatch(packKeys(id, rules), rules.length);
    this.#used -= rules.length;
    this.#sets.delete(id);
    this.pool.release(id);
  }
}

/** A set as it stands in the map. */
export interface StoredSet {
  readonly rules: SourceRule[];
  /** How many the set is meant to have. */
  readonly entries: number;
}

/** All sets in the map, by id. */
export function readSourceSets(map: BpfMap): ReadonlyMap<number, StoredSet> {
  const sets = new Map<number, StoredSet>();
  for (const [key, value] of map.entries()) {
    const { prefixLength, set: id, addr } = decode(abi.sourceKey, key);
    const { admit, entries } = decode(abi.sourceVerdict, value);
    const address = ipFromBytes(addr);
    const outside = SOURCE_SET_BITS + (familyOf(address) === 4 ? MAPPED_BITS : 0);
    const set = sets.get(id) ?? { rules: [], entries };
    set.rules.push({ range: { address, prefixLength: prefixLength - outside }, admit: admit !== 0 });
    sets.set(id, set);
  }
  return sets;
}

/** Equal for sets that say the same. */
function contentOf(rules: readonly SourceRule[]): string {
  const lines = rules.map(({ range, admit }) => `${admit ? "+" : "-"}${range.address}/${range.prefixLength}`);
  return lines.sort().join(" ");
}

/** Keys back to back, for one batch. */
function packKeys(set: number, rules: readonly SourceRule[]): Buffer {
  const keys = Buffer.alloc(rules.length * abi.sourceKey.size);
  for (const [i, { range }] of rules.entries()) {
    const outside = SOURCE_SET_BITS + (familyOf(range.address) === 4 ? MAPPED_BITS : 0);
    const key = { prefixLength: outside + range.prefixLength, set, addr: ipToBytes(range.address) };
    abi.sourceKey.write(viewOf(keys), i * abi.sourceKey.size, key);
  }
  return keys;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
