// SPDX-License-Identifier: Apache-2.0
// One block of an earlier agent: checked against the maps, and its rows, tables and backends reserved.

import * as abi from "./abi.gen.ts";
import type { IdSets } from "./backends.ts";
import { type Block, blockOf, type IdRows, planOf, rowsFor, servingRows, type TableRun, tableRuns } from "./blocks.ts";
import { HOST_LITTLE_ENDIAN } from "./codec.ts";
import type { Stores } from "./stores.ts";

/** What of a block could be reserved; block only when all of it is right. */
export interface HeldBlock extends IdSets {
  readonly row: number;
  /** 0 when the rows could not be reserved */
  readonly rows: number;
  readonly tableRuns: readonly TableRun[];
  readonly sourceSet: number;
  readonly block?: Block;
}

export interface AdoptedBlock {
  readonly held: HeldBlock;
  readonly problem: string | undefined;
}

export function adoptBlock(stores: Stores, service: number, row: number): AdoptedBlock {
  const ids = { cluster: [] as number[], local: [] as number[], serving: [] as number[] };
  const held = { row, rows: 0, tableRuns: [] as TableRun[], ...ids, sourceSet: 0 };
  const { cells, blocks } = stores;
  if (row >= cells.members.length) return { held, problem: `its block at row ${row} lies outside the map` };
  const header = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  if (header.service !== service)
    return { held, problem: `its block at row ${row} belongs to service ${header.service}` };
  if (header.rows < 1 || !blocks.rows.reserve(row, header.rows)) {
    return { held, problem: `its block at row ${row} lies outside the map or overlaps another` };
  }
  held.rows = header.rows;
  const problem =
    adoptIds(stores, header, row, header.cluster, held.cluster) ??
    adoptIds(stores, header, row, header.local, held.local) ??
    adoptIds(stores, header, row, servingRows(header), held.serving) ??
    adoptTables(stores, header, held.tableRuns) ??
    adoptSources(stores, header);
  if (problem !== undefined) return { held, problem };
  held.sourceSet = header.sourceSet;
  const tables = header.cluster.tableRow !== 0 || header.local.tableRow !== 0;
  const block = blockOf(planOf(service, header, held, held.sourceSet, tables), held);
  return { held: { ...held, block }, problem: undefined };
}

function adoptIds(
  stores: Stores,
  header: abi.BlockHeader,
  row: number,
  set: IdRows,
  into: number[],
): string | undefined {
  const { members } = stores.cells;
  if (set.count > 0 && (set.firstRow < 1 || set.firstRow + rowsFor(set.count, abi.Limits.IDS_PER_ROW) > header.rows)) {
    return `its block at row ${row} has a set beyond its ${header.rows} rows`;
  }
  for (let i = 0; i < set.count; i++) {
    const id = members.view.getUint32(members.offset(row + set.firstRow) + i * 4, HOST_LITTLE_ENDIAN);
    if (!stores.backends.adopt(id)) return `its block at row ${row} names backend ${id}, which is not there`;
    into.push(id);
  }
  return undefined;
}

function adoptTables(stores: Stores, header: abi.BlockHeader, into: TableRun[]): string | undefined {
  for (const run of tableRuns(header)) {
    if (!stores.blocks.tableRows.reserve(run.row, run.rows)) {
      return `its lookup table at row ${run.row} lies outside the map or overlaps another`;
    }
    into.push(run);
  }
  const { tables } = stores.cells;
  for (const { tableRow, tableSize, count } of [header.cluster, header.local]) {
    for (let i = 0; tableRow !== 0 && i < tableSize; i++) {
      const slot = tables.view.getUint16(tables.offset(tableRow) + i * 2, HOST_LITTLE_ENDIAN);
      if (slot >= count) return `slot ${i} of its lookup table at row ${tableRow} names member ${slot} of ${count}`;
    }
  }
  return undefined;
}

function adoptSources(stores: Stores, { sourceSet }: abi.BlockHeader): string | undefined {
  return stores.sources.adoptReference(sourceSet)
    ? undefined
    : `its source set ${sourceSet} is not there, or not all of it`;
}
