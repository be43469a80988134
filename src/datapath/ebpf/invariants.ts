// SPDX-License-Identifier: Apache-2.0
// What must hold in the maps after every single write: whatever a packet can reach from a frontend or a service word
// is there, whole and in bounds.

import * as abi from "./abi.gen.ts";
import { type IdRows, rowsFor, servingRows } from "./blocks.ts";
import { decode, HOST_LITTLE_ENDIAN } from "./codec.ts";
import { readSourceSets } from "./source-sets.ts";
import type { Cells, Stores, WriterMaps } from "./stores.ts";
import { readWord } from "./words.ts";

export interface Violation {
  readonly map: string;
  /** Index of the cell; for a hash map the key in hex. */
  readonly cell: number | string;
  readonly problem: string;
}

/** What a writer has handed out, to see that nothing reachable counts as free. */
export type Allocators = Pick<Stores, "blocks" | "backends" | "serviceIds" | "sources">;

/** The maps that are not mapped into memory. */
export type Lookups = Pick<WriterMaps, "frontends" | "source_ranges">;

/** Reads all of the maps; empty when all is well. */
export function checkInvariants(cells: Cells, maps: Lookups, allocators?: Allocators): readonly Violation[] {
  const found: Violation[] = [];
  const sourceSets = readSourceSets(maps.source_ranges);
  for (let id = 1; id < cells.services.length; id++) {
    const { row } = readWord(cells.services, id);
    if (row === 0) continue;
    checkService(cells, id, row, allocators, found);
    const problem = sourceProblem(cells, row, sourceSets, allocators);
    if (problem) found.push({ map: "members", cell: row, problem });
  }
  for (const [key, value] of maps.frontends.entries()) {
    const { service } = decode(abi.frontend, value);
    const problem = frontendProblem(cells, service);
    if (problem) found.push({ map: "frontends", cell: Buffer.from(key).toString("hex"), problem });
  }
  return found;
}

function frontendProblem(cells: Cells, service: number): string | undefined {
  if (service < 1 || service >= cells.services.length) return `names service ${service}, which is out of bounds`;
  if (readWord(cells.services, service).row === 0) return `names service ${service}, which has no block`;
  return cells.serviceMeta.isInUse(service) ? undefined : `names service ${service}, which is not in use`;
}

/** A set that is not whole would turn away who is served, or let in who is not. */
function sourceProblem(
  cells: Cells,
  row: number,
  sets: ReturnType<typeof readSourceSets>,
  free: Allocators | undefined,
): string | undefined {
  if (row >= cells.members.length) return undefined;
  const { sourceSet } = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  if (sourceSet === 0) return undefined;
  const set = sets.get(sourceSet);
  const [there, meant] = [set?.rules.length ?? 0, set?.entries ?? 0];
  if (there === 0 || there !== meant) return `names source set ${sourceSet}, of which ${there} of ${meant} are there`;
  return free?.sources.pool.isFree(sourceSet) ? `names source set ${sourceSet}, which is free` : undefined;
}

function checkService(cells: Cells, id: number, row: number, free: Allocators | undefined, found: Violation[]): void {
  const report = (cell: Named, index: number, problem: string) => found.push({ map: cell.name, cell: index, problem });
  if (free?.serviceIds.isFree(id)) report(cells.services, id, "has a block in force but its id is free");
  if (row >= cells.members.length) return void report(cells.services, id, `names row ${row}, which is out of bounds`);
  const header = abi.blockHeader.read(cells.members.view, cells.members.offset(row));
  if (header.service !== id) return void report(cells.members, row, `is of service ${header.service}, not ${id}`);
  if (header.rows < 1 || row + header.rows > cells.members.length) {
    return void report(cells.members, row, `has ${header.rows} rows, which is out of bounds`);
  }
  for (let at = row; at < row + header.rows; at++) {
    if (free?.blocks.rows.isFree(at)) report(cells.members, at, `belongs to service ${id} but is free`);
  }
  for (const set of [header.cluster, header.local]) {
    if (!checkIds(cells, row, header, set, free, report)) continue;
    checkTable(cells, row, set, free, report);
  }
  checkIds(cells, row, header, servingRows(header), free, report);
}

type Named = { readonly name: string };
type Report = (map: Named, cell: number, problem: string) => void;

/** False when the set is out of bounds. */
function checkIds(
  cells: Cells,
  row: number,
  header: abi.BlockHeader,
  set: IdRows,
  free: Allocators | undefined,
  report: Report,
): boolean {
  if (set.count === 0) return true;
  if (set.firstRow < 1 || set.firstRow + rowsFor(set.count, abi.Limits.IDS_PER_ROW) > header.rows) {
    report(cells.members, row, `has a set of ${set.count} at row ${set.firstRow} of ${header.rows}`);
    return false;
  }
  const base = cells.members.offset(row + set.firstRow);
  for (let i = 0; i < set.count; i++) {
    const id = cells.members.view.getUint32(base + i * 4, HOST_LITTLE_ENDIAN);
    const problem = backendProblem(cells, id, free);
    if (problem) report(cells.members, row, `names backend ${id} as member ${i}, which ${problem}`);
  }
  return true;
}

function backendProblem(cells: Cells, id: number, free: Allocators | undefined): string | undefined {
  if (id < 1 || id >= cells.backends.length) return "is out of bounds";
  const { flags, port } = abi.backend.read(cells.backends.view, cells.backends.offset(id));
  if ((flags & abi.BackendFlags.BACKEND_LIVE) === 0) return "is not live";
  if (port === 0) return "has no port";
  return free?.backends.pool.isFree(id) ? "is free" : undefined;
}

function checkTable(
  cells: Cells,
  row: number,
  { count, tableRow, tableSize }: abi.EndpointSet,
  free: Allocators | undefined,
  report: Report,
): void {
  if (tableRow === 0) return;
  const rows = rowsFor(tableSize, abi.Limits.SLOTS_PER_ROW);
  if (tableSize === 0 || tableRow + rows > cells.tables.length) {
    return void report(cells.members, row, `has a table of ${tableSize} slots at row ${tableRow}: out of bounds`);
  }
  for (let at = tableRow; at < tableRow + rows; at++) {
    if (free?.blocks.tableRows.isFree(at)) report(cells.tables, at, `belongs to the block at row ${row} but is free`);
  }
  for (let i = 0; i < tableSize; i++) {
    const slot = cells.tables.view.getUint16(cells.tables.offset(tableRow) + i * 2, HOST_LITTLE_ENDIAN);
    if (slot >= count) report(cells.tables, tableRow, `slot ${i} names member ${slot} of ${count}`);
  }
}
