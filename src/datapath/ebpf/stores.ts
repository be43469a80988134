// SPDX-License-Identifier: Apache-2.0
// The writer's maps, opened: mapped arrays and the tables of ids, rows and names kept over them.

import type { ServiceKey } from "../../compile/state.ts";
import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { AddressTable } from "./addresses.ts";
import { BackendTable } from "./backends.ts";
import { type Block, BlockStore } from "./blocks.ts";
import { MapFullError } from "./errors.ts";
import { type FrontendEntry, FrontendTable } from "./frontends.ts";
import { IdPool } from "./id-pool.ts";
import { MappedArray, type WriteHook } from "./mapped-array.ts";
import { NameTable } from "./names.ts";
import type { Reclaimer } from "./reclaim.ts";
import { ServiceMetaTable } from "./service-meta.ts";
import { ServiceRangeTable } from "./service-ranges.ts";
import { SourceSetTable } from "./source-sets.ts";
import { StatsReset } from "./stats.ts";

/** Maps of maps.bpf.h that the writer writes, by their names there. */
export interface WriterMaps {
  readonly frontends: BpfMap;
  readonly addresses: BpfMap;
  readonly service_ranges: BpfMap;
  readonly source_ranges: BpfMap;
  readonly services: BpfMap;
  readonly members: BpfMap;
  readonly tables: BpfMap;
  readonly backends: BpfMap;
  readonly service_meta: BpfMap;
  readonly names: BpfMap;
  readonly service_stats: BpfMap;
  readonly backend_stats: BpfMap;
}

/** The mapped arrays, for whoever reads them too. */
export interface Cells {
  readonly services: MappedArray;
  readonly members: MappedArray;
  readonly tables: MappedArray;
  readonly backends: MappedArray;
  readonly serviceMeta: ServiceMetaTable;
  readonly names: MappedArray;
}

/** A service as it stands in the maps. */
export interface ServiceEntry {
  readonly id: number;
  /** abi.ServiceType */
  readonly type: number;
  readonly block: Block;
  readonly frontends: readonly FrontendEntry[];
}

export interface Stores {
  readonly cells: Cells;
  readonly serviceIds: IdPool;
  readonly names: NameTable;
  readonly backends: BackendTable;
  readonly sources: SourceSetTable;
  readonly blocks: BlockStore;
  readonly frontends: FrontendTable;
  readonly addresses: AddressTable;
  readonly serviceRanges: ServiceRangeTable;
  readonly serviceStats: StatsReset;
  readonly backendStats: StatsReset;
}

export function openCells(
  maps: Omit<
    WriterMaps,
    "frontends" | "addresses" | "service_ranges" | "source_ranges" | "service_stats" | "backend_stats"
  >,
  hook?: WriteHook,
): Cells {
  return {
    services: new MappedArray(maps.services, abi.serviceWord.size, hook),
    members: new MappedArray(maps.members, abi.blockRow.size, hook),
    tables: new MappedArray(maps.tables, abi.tableRow.size, hook),
    backends: new MappedArray(maps.backends, abi.backend.size, hook),
    serviceMeta: new ServiceMetaTable(maps.service_meta, hook),
    names: new MappedArray(maps.names, abi.nameRow.size, hook),
  };
}

export function openStores(maps: WriterMaps, reclaimer: Reclaimer, hook?: WriteHook): Stores {
  const cells = openCells(maps, hook);
  const backendStats = new StatsReset(maps.backend_stats);
  const names = new NameTable(cells.names);
  const addresses = new AddressTable(maps.addresses);
  const backends = new BackendTable(cells.backends, names, reclaimer, backendStats);
  const sources = new SourceSetTable(maps.source_ranges, reclaimer);
  return {
    cells,
    serviceIds: new IdPool(Math.min(cells.services.length, cells.serviceMeta.length)),
    names,
    backends,
    sources,
    blocks: new BlockStore(cells.members, cells.tables, { backends, sources }, reclaimer),
    frontends: new FrontendTable(maps.frontends, addresses),
    addresses,
    serviceRanges: new ServiceRangeTable(maps.service_ranges),
    serviceStats: new StatsReset(maps.service_stats),
    backendStats,
  };
}

/** An id for a service that has none yet. Throws MapFullError. */
export function takeServiceId({ serviceIds }: Stores, key: ServiceKey): number {
  const id = serviceIds.take();
  if (id === undefined) throw new MapFullError("services", serviceIds.size, key);
  return id;
}
