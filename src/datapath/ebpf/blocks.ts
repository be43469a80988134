// SPDX-License-Identifier: Apache-2.0
// Blocks of members and their Maglev tables: written into free rows, never changed, given back after an RCU period.

import * as abi from "./abi.gen.ts";
import { type BackendTable, type IdSets, idsOf } from "./backends.ts";
import { HOST_LITTLE_ENDIAN } from "./codec.ts";
import { MapFullError } from "./errors.ts";
import { maglevSize, maglevTable } from "./maglev.ts";
import type { MappedArray } from "./mapped-array.ts";
import type { Reclaimer } from "./reclaim.ts";
import { RowPool } from "./row-pool.ts";
import type { Traits } from "./service-plan.ts";
import type { SourceSetTable } from "./source-sets.ts";

const { IDS_PER_ROW, SLOTS_PER_ROW } = abi.Limits;

/** What a block is to say. Backends by id, in order. */
export interface BlockPlan extends Traits, IdSets {
  readonly service: number;
  /** Whom sourceKinds serve. */
  readonly sourceSet: number;
  /** Whether the sets have Maglev tables. */
  readonly tables: boolean;
}

/** Where a block stands. */
export interface Placement {
  /** Of the header. */
  readonly row: number;
  readonly rows: number;
  readonly tableRuns: readonly TableRun[];
}

/** A block as it stands in the map; it holds a reference to each of its backend ids, in each set, and to its source set. */
export interface Block extends BlockPlan, Placement {}

/**
 * Field by field, as blockOf(): an object that others are spread into takes fifteen times the memory to make, and four
 * times to keep. A change makes several, and each service keeps one.
 */
export function planOf(service: number, traits: Traits, sets: IdSets, sourceSet: number, tables: boolean): BlockPlan {
  const { scheduler, flags, sourceKinds, affinityTimeout, affinityEpoch, endsEpoch } = traits;
  const { cluster, local, serving } = sets;
  return {
    service,
    scheduler,
    flags,
    sourceKinds,
    affinityTimeout,
    affinityEpoch,
    endsEpoch,
    cluster,
    local,
    serving,
    sourceSet,
    tables,
  };
}

export function blockOf(plan: BlockPlan, { row, rows, tableRuns }: Placement): Block {
  return {
    service: plan.service,
    scheduler: plan.scheduler,
    flags: plan.flags,
    sourceKinds: plan.sourceKinds,
    affinityTimeout: plan.affinityTimeout,
    affinityEpoch: plan.affinityEpoch,
    endsEpoch: plan.endsEpoch,
    cluster: plan.cluster,
    local: plan.local,
    serving: plan.serving,
    sourceSet: plan.sourceSet,
    tables: plan.tables,
    row,
    rows,
    tableRuns,
  };
}

/** What blocks hold references to. */
interface Referred {
  readonly backends: BackendTable;
  readonly sources: SourceSetTable;
}

export interface TableRun {
  readonly row: number;
  readonly rows: number;
}

export class BlockStore {
  readonly rows: RowPool;
  readonly tableRows: RowPool;
  readonly #members: MappedArray;
  readonly #tables: MappedArray;
  readonly #backends: BackendTable;
  readonly #sources: SourceSetTable;
  readonly #reclaimer: Reclaimer;

  constructor(members: MappedArray, tables: MappedArray, { backends, sources }: Referred, reclaimer: Reclaimer) {
    this.#members = members;
    this.#tables = tables;
    this.#backends = backends;
    this.#sources = sources;
    this.#reclaimer = reclaimer;
    this.rows = new RowPool(members.length);
    this.tableRows = new RowPool(tables.length);
  }

  /** Writes a block nobody sees yet; takes over the plan's references. Throws MapFullError, then nothing is taken. */
  write(plan: BlockPlan): Block {
    const prefix = isPrefix(plan.local, plan.cluster);
    const clusterRows = rowsFor(plan.cluster.length, IDS_PER_ROW);
    const localFirst = prefix ? 1 : 1 + clusterRows;
    const servingFirst = 1 + clusterRows + (prefix ? 0 : rowsFor(plan.local.length, IDS_PER_ROW));
    const rows = servingFirst + rowsFor(plan.serving.length, IDS_PER_ROW);
    const row = this.rows.take(rows);
    if (row === undefined) {
      throw new MapFullError("members", this.#members.length, `a block of ${rows} rows`);
    }
    this.#members.reach(row + rows);
    this.#writeIds(row + 1, plan.cluster);
    if (!prefix) this.#writeIds(row + localFirst, plan.local);
    this.#writeIds(row + servingFirst, plan.serving);
    let cluster: abi.EndpointSet;
    let local: abi.EndpointSet;
    try {
      [cluster, local] = this.#writeTables(plan, localFirst, prefix);
    } catch (error) {
      this.#freeRows(row, rows);
      throw error;
    }
    const header = { ...plan, rows, cluster, local, servingCount: plan.serving.length };
    abi.blockHeader.write(this.#members.view, this.#members.offset(row), header);
    this.#members.written(row);
    return blockOf(plan, { row, rows, tableRuns: tableRuns(header) });
  }

  /** Whether lookup tables for these sets fit beside what is there. */
  hasTableRoom({ cluster, local }: { readonly [set in "cluster" | "local"]: readonly unknown[] }): boolean {
    const rows = [cluster, local].map((set) => rowsFor(set.length === 0 ? 0 : maglevSize(set.length), SLOTS_PER_ROW));
    return this.tableRows.canTake(
      Math.max(
        1,
        rows.reduce((sum, count) => sum + count, 0),
      ),
    );
  }

  /** Takes back a block that was never in force. */
  discard(block: Block): void {
    for (const id of idsOf(block)) this.#backends.discard(id);
    this.#sources.discard(block.sourceSet);
    this.#freeRows(block.row, block.rows);
    for (const run of block.tableRuns) this.#freeTableRows(run.row, run.rows);
  }

  /** Releases the block's references now, and its rows after an RCU period. No live word may name it any more. */
  retire(block: Pick<Block, "row" | "rows" | "tableRuns" | "sourceSet"> & IdSets): void {
    for (const id of idsOf(block)) this.#backends.release(id);
    this.#sources.release(block.sourceSet);
    this.retireRows(block.row, block.rows);
    for (const run of block.tableRuns) this.retireTableRows(run.row, run.rows);
  }

  retireRows(row: number, count: number): void {
    if (count === 0) return;
    this.#reclaimer.retire(() => this.#freeRows(row, count));
  }

  retireTableRows(row: number, count: number): void {
    this.#reclaimer.retire(() => this.#freeTableRows(row, count));
  }

  #freeRows(row: number, count: number): void {
    this.#members.clear(row, count);
    this.rows.release(row, count);
  }

  #freeTableRows(row: number, count: number): void {
    this.#tables.clear(row, count);
    this.tableRows.release(row, count);
  }

  #writeIds(firstRow: number, ids: readonly number[]): void {
    const { view } = this.#members;
    for (let i = 0; i < ids.length; i++) {
      view.setUint32(this.#members.offset(firstRow) + i * 4, ids[i] ?? 0, HOST_LITTLE_ENDIAN);
      if (i % IDS_PER_ROW === IDS_PER_ROW - 1 || i === ids.length - 1) {
        this.#members.written(firstRow + Math.floor(i / IDS_PER_ROW));
      }
    }
  }

  /** Both sets, with their tables; one table when the sets are the same. */
  #writeTables(plan: BlockPlan, localFirst: number, prefix: boolean): [abi.EndpointSet, abi.EndpointSet] {
    const clusterTable = plan.tables ? this.#writeTable(plan.cluster) : NO_TABLE;
    const cluster = { count: plan.cluster.length, firstRow: 1, ...clusterTable };
    const same = prefix && plan.local.length === plan.cluster.length;
    try {
      const localTable = same ? clusterTable : plan.tables ? this.#writeTable(plan.local) : NO_TABLE;
      return [cluster, { count: plan.local.length, firstRow: localFirst, ...localTable }];
    } catch (error) {
      const rows = rowsFor(clusterTable.tableSize, SLOTS_PER_ROW);
      this.#freeTableRows(clusterTable.tableRow, rows);
      throw error;
    }
  }

  #writeTable(ids: readonly number[]): Pick<abi.EndpointSet, "tableRow" | "tableSize"> {
    if (ids.length === 0) return NO_TABLE;
    const slots = maglevTable(ids.map((id) => this.#backends.maglevMember(id)));
    const rows = rowsFor(slots.length, SLOTS_PER_ROW);
    const row = this.tableRows.take(rows);
    if (row === undefined) {
      const needed = `a lookup table of ${slots.length} slots`;
      throw new MapFullError("tables", this.#tables.length, needed);
    }
    this.#tables.reach(row + rows);
    new Uint16Array(this.#tables.view.buffer, this.#tables.offset(row), slots.length).set(slots);
    this.#tables.written(row);
    return { tableRow: row, tableSize: slots.length };
  }
}

/** Where in a block some ids stand: count of them, beginning firstRow rows after the header. */
export type IdRows = Pick<abi.EndpointSet, "count" | "firstRow">;

/** The endpoints beside the two sets that flows keep to. */
export function servingRows({ cluster, local, servingCount }: abi.BlockHeader): IdRows {
  const ends = [cluster, local].map(({ firstRow, count }) => firstRow + rowsFor(count, IDS_PER_ROW));
  return { count: servingCount, firstRow: Math.max(...ends) };
}

const NO_TABLE = { tableRow: 0, tableSize: 0 } as const;

/** Whether a block already says what the plan says. */
export function samePlan(block: BlockPlan, plan: BlockPlan): boolean {
  return (
    block.flags === plan.flags &&
    block.scheduler === plan.scheduler &&
    block.affinityTimeout === plan.affinityTimeout &&
    block.affinityEpoch === plan.affinityEpoch &&
    block.endsEpoch === plan.endsEpoch &&
    block.sourceKinds === plan.sourceKinds &&
    block.sourceSet === plan.sourceSet &&
    block.tables === plan.tables &&
    sameIds(block.cluster, plan.cluster) &&
    sameIds(block.local, plan.local) &&
    sameIds(block.serving, plan.serving)
  );
}

/** The runs of rows in tables that a header names, each once. */
export function tableRuns(header: abi.BlockHeader): readonly TableRun[] {
  const runs: TableRun[] = [];
  for (const { tableRow, tableSize } of [header.cluster, header.local]) {
    if (tableRow === 0 || runs[0]?.row === tableRow) continue;
    runs.push({ row: tableRow, rows: rowsFor(tableSize, SLOTS_PER_ROW) });
  }
  return runs;
}

export function rowsFor(items: number, perRow: number): number {
  return Math.ceil(items / perRow);
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && isPrefix(a, b);
}

function isPrefix(part: readonly number[], whole: readonly number[]): boolean {
  if (part.length > whole.length) return false;
  for (let i = 0; i < part.length; i++) if (part[i] !== whole[i]) return false;
  return true;
}
