// SPDX-License-Identifier: Apache-2.0
// Where the endpoints of a translation are: a block of keys in one of many maps. nft looks at all of a map for each rule that uses
// it, so that one map for all takes time by the square of the Services, and a map of each rule's own takes longer still.

import type { Family } from "../../model/ip.ts";
import type { Protocol } from "../../model/service.ts";

/** More blocks cost more with each change of one of them, fewer more with each map. */
const BLOCKS = 32;
/** But for a block that is alone. */
const KEYS = 2048;

export interface Block {
  readonly shard: Shard;
  /** The first of its keys. */
  readonly offset: number;
  readonly size: number;
}

interface Shard {
  readonly name: string;
  /** Of family and protocol. */
  readonly kind: string;
  /** An earlier agent's: which keys are free is not known, nothing new goes there, and it goes with its last block. */
  readonly closed: boolean;
  /** By their offsets, if not closed. */
  readonly blocks: Block[];
}

export class Shards {
  readonly #shards = new Map<string, Shard>();
  /** Not closed, and not full, by what their names begin with. */
  readonly #roomy = new Map<string, Set<Shard>>();
  #next = 0;

  /** names: of the maps in the kernel. */
  constructor(names: readonly string[]) {
    for (const name of names) {
      const [, number] = /^endpoints[46]-\w+-(\d+)$/.exec(name) ?? [];
      if (number === undefined) continue;
      this.#shards.set(name, { name, kind: "", closed: true, blocks: [] });
      this.#next = Math.max(this.#next, Number(number) + 1);
    }
  }

  /** A block of an earlier agent's; undefined: there is no such shard. */
  adopt(name: string): Block | undefined {
    const shard = this.#shards.get(name);
    if (shard === undefined) return undefined;
    const block = { shard, offset: 0, size: 0 };
    shard.blocks.push(block);
    return block;
  }

  /** Room for so many keys; fresh: its shard has to be made first. */
  place(family: Family, protocol: Protocol, size: number): { readonly block: Block; readonly fresh: boolean } {
    const kind = `endpoints${family}-${protocol.toLowerCase()}`;
    const roomy = this.#roomy.get(kind) ?? new Set();
    this.#roomy.set(kind, roomy);
    for (const shard of roomy) {
      const used = shard.blocks.reduce((sum, block) => sum + block.size, 0);
      if (shard.blocks.length === 0 || used + size <= KEYS) return { block: this.#put(shard, size), fresh: false };
    }
    const shard: Shard = { name: `${kind}-${this.#next++}`, kind, closed: false, blocks: [] };
    this.#shards.set(shard.name, shard);
    roomy.add(shard);
    return { block: this.#put(shard, size), fresh: true };
  }

  /** Once its keys are gone. */
  free(block: Block): void {
    const { shard } = block;
    shard.blocks.splice(shard.blocks.indexOf(block), 1);
    if (!shard.closed) this.#roomy.get(shard.kind)?.add(shard);
  }

  /** Takes earlier agents' shards out that nothing uses any more; returns their names. */
  takeIdle(): readonly string[] {
    const idle = [...this.#shards.values()].filter(({ closed, blocks }) => closed && blocks.length === 0);
    for (const { name } of idle) this.#shards.delete(name);
    return idle.map(({ name }) => name);
  }

  /** Into the first gap that is wide enough. */
  #put(shard: Shard, size: number): Block {
    let [offset, index] = [0, 0];
    for (const taken of shard.blocks) {
      if (offset + size <= taken.offset) break;
      offset = taken.offset + taken.size;
      index++;
    }
    const block = { shard, offset, size };
    shard.blocks.splice(index, 0, block);
    if (shard.blocks.length === BLOCKS) this.#roomy.get(shard.kind)?.delete(shard);
    return block;
  }
}
