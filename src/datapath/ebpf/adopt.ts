// SPDX-License-Identifier: Apache-2.0
// What an earlier agent left, read back from the pinned maps into the allocators. Nothing is written here: what is
// inconsistent stays as it is until sync() discards it, and what a killed agent leaked waits in quarantine.

import type { ServiceKey } from "../../compile/state.ts";
import * as abi from "./abi.gen.ts";
import { adoptBlock, type HeldBlock } from "./adopt-block.ts";
import type { FrontendEntry } from "./frontends.ts";
import type { Reclaimer } from "./reclaim.ts";
import { keyOfMeta } from "./service-plan.ts";
import type { ServiceEntry, Stores } from "./stores.ts";
import { publishRow, readWord } from "./words.ts";

/** A service cell that cannot be right, with what of it could be reserved. */
interface Broken {
  readonly id: number;
  readonly held: HeldBlock | undefined;
}

export interface Adopted {
  readonly services: ReadonlyMap<ServiceKey, ServiceEntry>;
  readonly warnings: readonly string[];
  /** Emptied by discardBroken(). */
  readonly broken: Broken[];
  /** Frontends that name no service there is. */
  readonly orphans: FrontendEntry[];
}

export function adoptServices(stores: Stores, reclaimer: Reclaimer): Adopted {
  const services = new Map<ServiceKey, ServiceEntry>();
  const adopted = { services, warnings: [] as string[], broken: [] as Broken[], orphans: [] as FrontendEntry[] };
  const frontends = byService(stores.frontends.adopt());
  stores.sources.adopt();
  const metas = stores.cells.serviceMeta.all();
  for (let id = 1; id < stores.serviceIds.size; id++) {
    const { row } = readWord(stores.cells.services, id);
    const meta = metas.get(id);
    if (row === 0 && meta === undefined) continue;
    stores.serviceIds.reserve(id);
    const problem = adoptService(stores, adopted, services, id, meta, frontends.get(id) ?? []);
    if (problem === undefined) frontends.delete(id);
    else if ((row !== 0 && meta !== undefined) || frontends.has(id))
      adopted.warnings.push(`service ${id} of an earlier agent: ${problem}`);
  }
  for (const [id, entries] of frontends) {
    adopted.orphans.push(...entries);
    if (id < 1 || id >= stores.serviceIds.size || !stores.serviceIds.reserve(id)) continue;
    adopted.warnings.push(
      `service ${id} of an earlier agent: ${entries.length} frontends name it, but it is not there`,
    );
    adopted.broken.push({ id, held: undefined });
  }
  quarantineLeaks(stores, reclaimer);
  fitMemory(stores);
  return adopted;
}

/** All maps had to be looked at whole; from here on only what is in use is worth its memory. */
function fitMemory({ cells, blocks, backends, names }: Stores): void {
  cells.members.fit(blocks.rows.end);
  cells.tables.fit(blocks.tableRows.end);
  cells.backends.fit(backends.pool.end);
  cells.names.fit(names.pool.end);
  cells.serviceMeta.unmap();
}

function byService(entries: readonly FrontendEntry[]): Map<number, FrontendEntry[]> {
  const groups = new Map<number, FrontendEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.service);
    if (group) group.push(entry);
    else groups.set(entry.service, [entry]);
  }
  return groups;
}

/** Why the service cannot be taken over; undefined when it was. */
function adoptService(
  stores: Stores,
  adopted: Adopted,
  services: Map<ServiceKey, ServiceEntry>,
  id: number,
  meta: abi.ServiceMeta | undefined,
  frontends: readonly FrontendEntry[],
): string | undefined {
  const { cells } = stores;
  const { row } = readWord(cells.services, id);
  const { held, problem } = row === 0 ? { held: undefined, problem: "it has no block" } : adoptBlock(stores, id, row);
  const wrong = problem ?? nameProblem(services, meta);
  if (wrong === undefined && held?.block !== undefined && meta !== undefined) {
    services.set(keyOfMeta(meta), { id, type: meta.type, block: held.block, frontends });
    return undefined;
  }
  adopted.broken.push({ id, held });
  return wrong ?? "it has no block";
}

function nameProblem(services: Adopted["services"], meta: abi.ServiceMeta | undefined): string | undefined {
  if (meta === undefined || (meta.flags & abi.ServiceMetaFlags.SERVICE_IN_USE) === 0) return "it has no name";
  return services.has(keyOfMeta(meta)) ? `${keyOfMeta(meta)} is there twice` : undefined;
}

/** Takes away what adoptServices() found broken: frontends, then words, then the rest after an RCU period. */
export function discardBroken(stores: Stores, reclaimer: Reclaimer, adopted: Adopted): void {
  stores.frontends.remove(adopted.orphans.splice(0));
  for (const { id, held } of adopted.broken.splice(0)) {
    if (readWord(stores.cells.services, id).row !== 0) publishRow(stores.cells.services, id, 0);
    if (held) stores.blocks.retire(held);
    retireService(stores, reclaimer, id);
  }
}

/** The id of a service that has no frontend and no block any more becomes free after an RCU period. */
export function retireService(stores: Stores, reclaimer: Reclaimer, id: number): void {
  reclaimer.retire(() => {
    stores.cells.serviceMeta.clear(id);
    stores.serviceStats.add(id);
    stores.serviceIds.release(id);
  });
}

/** Cells that hold something and that nothing names: a kill may have come before they were published or cleared. */
function quarantineLeaks(stores: Stores, reclaimer: Reclaimer): void {
  const { cells, blocks, backends, names, sources } = stores;
  sources.retireUnnamed();
  for (const [row, count] of cells.members.leaked((cell) => blocks.rows.isFree(cell))) {
    blocks.rows.reserve(row, count);
    blocks.retireRows(row, count);
  }
  for (const [row, count] of cells.tables.leaked((cell) => blocks.tableRows.isFree(cell))) {
    blocks.tableRows.reserve(row, count);
    blocks.retireTableRows(row, count);
  }
  for (const [first, count] of cells.backends.leaked((cell) => backends.pool.isFree(cell))) {
    for (let id = first; id < first + count; id++) {
      backends.pool.reserve(id);
      reclaimer.retire(() => backends.reclaim(id));
    }
  }
  for (const [first, count] of cells.names.leaked((cell) => names.pool.isFree(cell))) {
    for (let row = first; row < first + count; row++) {
      names.pool.reserve(row);
      reclaimer.retire(() => names.free(row));
    }
  }
}
