// SPDX-License-Identifier: Apache-2.0
// Packets that are still looking at a block when it is replaced: everything they can reach must stay as it was until an
// RCU period that began after the replacement has ended. And packets that hold a frontend that has gone or moved: its
// service must have a block as long.

import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { servingRows, tableRuns } from "../../../src/datapath/ebpf/blocks.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import type { Lookups } from "../../../src/datapath/ebpf/invariants.ts";
import type { MappedArray } from "../../../src/datapath/ebpf/mapped-array.ts";
import type { Cells } from "../../../src/datapath/ebpf/stores.ts";
import { readWord } from "../../../src/datapath/ebpf/words.ts";
import type { BpfMap } from "../../../src/libbpf/types.ts";

interface Seen {
  readonly row: number;
  /** Every byte a packet can reach from the word, in hex. */
  readonly bytes: string;
  /** Number of the last RCU period begun when the word changed; undefined while in force. */
  replaced: number | undefined;
}

interface Held {
  readonly service: number;
  /** As of Seen. */
  replaced: number | undefined;
}

export class Readers {
  /** What changed under a reader. */
  readonly disturbed: string[] = [];
  /** service:epoch → block */
  readonly #seen = new Map<string, Seen>();
  /** key:service → frontend */
  readonly #held = new Map<string, Held>();
  #begun = 0;

  periodBegins(): number {
    return ++this.#begun;
  }

  periodEnds(period: number): void {
    for (const looked of [this.#seen, this.#held])
      for (const [name, { replaced }] of looked) if (replaced !== undefined && replaced < period) looked.delete(name);
  }

  /** After a write. */
  look(cells: Cells, maps: Lookups): void {
    this.#lookAtFrontends(cells, maps.frontends);
    const sources = sourceBytes(maps.source_ranges);
    const current = new Set<string>();
    for (let id = 1; id < cells.services.length; id++) {
      const { row, epoch } = readWord(cells.services, id);
      if (row === 0) continue;
      const name = `${id}:${epoch}`;
      current.add(name);
      if (!this.#seen.has(name))
        this.#seen.set(name, { row, bytes: reachable(cells, sources, row), replaced: undefined });
    }
    for (const [name, seen] of this.#seen) {
      if (!current.has(name)) seen.replaced ??= this.#begun;
      if (reachable(cells, sources, seen.row) !== seen.bytes) this.disturbed.push(`block ${name} at row ${seen.row}`);
    }
  }

  #lookAtFrontends(cells: Cells, frontends: BpfMap): void {
    const current = new Set<string>();
    for (const [key, value] of frontends.entries()) {
      const { service } = decode(abi.frontend, value);
      const name = `${Buffer.from(key).toString("hex")}:${service}`;
      current.add(name);
      const held = this.#held.get(name);
      if (held) held.replaced = undefined;
      else this.#held.set(name, { service, replaced: undefined });
    }
    for (const [name, held] of this.#held) {
      if (!current.has(name)) held.replaced ??= this.#begun;
      if (readWord(cells.services, held.service).row === 0) this.disturbed.push(`frontend ${name} has no block`);
    }
  }
}

/** Set id → its entries, in hex. */
function sourceBytes(map: BpfMap): ReadonlyMap<number, string> {
  const sets = new Map<number, string[]>();
  for (const [key, value] of map.entries()) {
    const { set } = decode(abi.sourceKey, key);
    sets.set(set, [...(sets.get(set) ?? []), Buffer.concat([key, value]).toString("hex")]);
  }
  return new Map([...sets].map(([set, entries]) => [set, entries.sort().join(",")]));
}

function reachable(cells: Cells, sources: ReadonlyMap<number, string>, row: number): string {
  const header = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  const parts = [hex(cells.members, row, header.rows)];
  for (const set of [header.cluster, header.local, servingRows(header)]) {
    for (let i = 0; i < set.count; i++) {
      const id = cells.members.view.getUint32(cells.members.offset(row + set.firstRow) + i * 4, true);
      parts.push(hex(cells.backends, id, 1));
    }
  }
  if (header.sourceSet !== 0) parts.push(sources.get(header.sourceSet) ?? "");
  for (const run of tableRuns(header)) parts.push(hex(cells.tables, run.row, run.rows));
  return parts.join(" ");
}

function hex(cells: MappedArray, first: number, count: number): string {
  return cells.bytes.toString("hex", cells.offset(first), cells.offset(first + count));
}
