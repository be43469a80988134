// SPDX-License-Identifier: Apache-2.0
// Packets that are still looking at a block when it is replaced: everything they can reach must stay as it was until an
// RCU period that began after the replacement has ended.

import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { tableRuns } from "../../../src/datapath/ebpf/blocks.ts";
import type { MappedArray } from "../../../src/datapath/ebpf/mapped-array.ts";
import type { Cells } from "../../../src/datapath/ebpf/stores.ts";
import { readWord } from "../../../src/datapath/ebpf/words.ts";

interface Seen {
  readonly row: number;
  /** Every byte a packet can reach from the word, in hex. */
  readonly bytes: string;
  /** Number of the last RCU period begun when the word changed; undefined while in force. */
  replaced: number | undefined;
}

export class Readers {
  /** What changed under a reader. */
  readonly disturbed: string[] = [];
  /** service:epoch → block */
  readonly #seen = new Map<string, Seen>();
  #begun = 0;

  periodBegins(): number {
    return ++this.#begun;
  }

  periodEnds(period: number): void {
    for (const [name, seen] of this.#seen)
      if (seen.replaced !== undefined && seen.replaced < period) this.#seen.delete(name);
  }

  /** After a write. */
  look(cells: Cells): void {
    const current = new Set<string>();
    for (let id = 1; id < cells.services.length; id++) {
      const { row, epoch } = readWord(cells.services, id);
      if (row === 0) continue;
      const name = `${id}:${epoch}`;
      current.add(name);
      if (!this.#seen.has(name)) this.#seen.set(name, { row, bytes: reachable(cells, row), replaced: undefined });
    }
    for (const [name, seen] of this.#seen) {
      if (!current.has(name)) seen.replaced ??= this.#begun;
      if (reachable(cells, seen.row) !== seen.bytes) this.disturbed.push(`block ${name} at row ${seen.row}`);
    }
  }
}

function reachable(cells: Cells, row: number): string {
  const header = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  const parts = [hex(cells.members, row, header.rows)];
  for (const set of [header.cluster, header.local]) {
    for (let i = 0; i < set.count; i++) {
      const id = cells.members.view.getUint32(cells.members.offset(row + set.firstRow) + i * 4, true);
      parts.push(hex(cells.backends, id, 1));
    }
  }
  for (const run of tableRuns(header)) parts.push(hex(cells.tables, run.row, run.rows));
  return parts.join(" ");
}

function hex(cells: MappedArray, first: number, count: number): string {
  return cells.bytes.toString("hex", cells.offset(first), cells.offset(first + count));
}
