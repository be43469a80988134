// SPDX-License-Identifier: Apache-2.0
// Services, frontends and backends out of the pinned maps, also while an agent is changing them: a block is read again
// when the service's word has changed meanwhile, for its rows may have been given to another.

import type { Scheduler, ServiceKey, SourceFilter } from "../../compile/state.ts";
import type { BpfMap } from "../../libbpf/types.ts";
import { ipFromBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { type IdSets, idsOf } from "./backends.ts";
import { type IdRows, servingRows, tableRuns } from "./blocks.ts";
import { decode, HOST_LITTLE_ENDIAN } from "./codec.ts";
import { MappedArray } from "./mapped-array.ts";
import { frontendKindOf, frontendKinds, keyOfMeta, protocolName } from "./service-plan.ts";
import { readSourceSets } from "./source-sets.ts";
import type { BackendState, FrontendState, MapFill, ServiceState } from "./state-types.ts";
import { type Cells, openCells } from "./stores.ts";
import { readWord } from "./words.ts";

const TYPES: Readonly<Record<number, ServiceState["type"]>> = {
  [abi.ServiceType.SERVICE_CLUSTER_IP]: "ClusterIP",
  [abi.ServiceType.SERVICE_NODE_PORT]: "NodePort",
  [abi.ServiceType.SERVICE_LOAD_BALANCER]: "LoadBalancer",
};
const SCHEDULERS: Readonly<Record<number, Scheduler>> = {
  [abi.Scheduler.SCHEDULER_DEFAULT]: "default",
  [abi.Scheduler.SCHEDULER_RANDOM]: "random",
  [abi.Scheduler.SCHEDULER_MAGLEV]: "mh",
};
/** A word that changes this often between two reads belongs to a service nobody can read. */
const MAX_READS = 100;

/** A block with the ids of its sets. */
interface BlockView extends IdSets {
  readonly header: abi.BlockHeader;
}

export class ServiceReader {
  readonly #cells: Cells;
  readonly #serviceMeta: MappedArray;
  readonly #frontends: BpfMap;
  readonly #sourceRanges: BpfMap;
  readonly #serviceStats: BpfMap;
  readonly #backendStats: BpfMap;

  /** open gives a map by its name in maps.bpf.h. */
  constructor(open: (name: string) => BpfMap) {
    const [frontends, services, members] = [open("frontends"), open("services"), open("members")];
    const [tables, backends, names] = [open("tables"), open("backends"), open("names")];
    const arrays = { services, members, tables, backends, names, service_meta: open("service_meta") };
    this.#cells = openCells(arrays);
    this.#serviceMeta = new MappedArray(arrays.service_meta, abi.serviceMeta.size);
    this.#frontends = frontends;
    this.#sourceRanges = open("source_ranges");
    this.#serviceStats = open("service_stats");
    this.#backendStats = open("backend_stats");
  }

  /** By namespace, name, port, protocol and family. */
  services(): readonly ServiceState[] {
    const frontends = new Map<number, FrontendState[]>();
    for (const frontend of this.frontends()) {
      const group = frontends.get(frontend.serviceId);
      if (group) group.push(frontend);
      else frontends.set(frontend.serviceId, [frontend]);
    }
    const backends = new Map<number, BackendState>();
    const blocks = [...this.#blocks()];
    const sources = this.#sourceFilters(blocks.map(([, { header }]) => header));
    return blocks
      .map(([id, block]) => this.#service(id, block, frontends.get(id) ?? [], backends, sources))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  frontends(): readonly FrontendState[] {
    return [...this.#frontends.entries()].map(([keyBytes, value]) => {
      const key = decode(abi.frontendKey, keyBytes);
      const { service, kind, flags } = decode(abi.frontend, value);
      const onNode = (flags & abi.FrontendFlags.FRONTEND_ON_NODE) !== 0;
      return {
        kind: frontendKindOf(kind),
        ...(onNode && { onNode }),
        address: ipFromBytes(key.addr),
        port: key.port,
        protocol: protocolName(key.proto),
        serviceId: service,
        service: this.keyOf(service),
      };
    });
  }

  backends(): readonly BackendState[] {
    const ids = new Set<number>();
    for (const [, block] of this.#blocks()) for (const id of idsOf(block)) ids.add(id);
    return [...ids].sort((a, b) => a - b).map((id) => this.#backend(id));
  }

  /** undefined when no service has this id. */
  keyOf(id: number): ServiceKey | undefined {
    if (id < 1 || id >= this.#serviceMeta.length) return undefined;
    return this.#isInUse(id) ? keyOfMeta(this.#meta(id)) : undefined;
  }

  /** Text of a row of names; "" for row 0. */
  nameOf(row: number): string {
    const { names } = this.#cells;
    return row === 0 || row >= names.length ? "" : abi.nameRow.read(names.view, names.offset(row)).text;
  }

  /** Cells in force; what waits for an RCU period does not count. */
  fill(): readonly MapFill[] {
    const { services, members, tables, backends, names } = this.#cells;
    const used = { services: 0, members: 0, tables: 0 };
    const ids = new Set<number>();
    for (const [, block] of this.#blocks()) {
      const { header } = block;
      used.services++;
      used.members += header.rows;
      for (const run of tableRuns(header)) used.tables += run.rows;
      for (const id of idsOf(block)) ids.add(id);
    }
    let rows = 0;
    for (let row = 1; row < names.length; row++) if (!names.isZero(row)) rows++;
    // Ids 0 and rows 0 are never used.
    const fills = [
      { map: "services", used: used.services, size: services.length - 1 },
      { map: "members", used: used.members, size: members.length - 1 },
      { map: "tables", used: used.tables, size: tables.length - 1 },
      { map: "backends", used: ids.size, size: backends.length - 1 },
      { map: "names", used: rows, size: names.length - 1 },
      ...[this.#frontends, this.#sourceRanges].map((map) => ({
        map: map.name,
        used: [...map.entries()].length,
        size: map.maxEntries,
      })),
    ];
    return fills.map((fill) => ({ ...fill, evicts: false }));
  }

  *#blocks(): Generator<readonly [id: number, block: BlockView]> {
    for (let id = 1; id < this.#cells.services.length; id++) {
      const block = this.#block(id);
      // Without a name it is on its way out, and only there for packets that are still looking at it.
      if (block && this.#isInUse(id)) yield [id, block];
    }
  }

  #block(id: number): BlockView | undefined {
    const { services, members } = this.#cells;
    for (let reads = 0; reads < MAX_READS; reads++) {
      const word = readWord(services, id);
      if (word.row === 0) return undefined;
      const header = abi.blockHeader.read(members.view, members.offset(word.row));
      const ids = (set: IdRows) => this.#ids(word.row, set);
      const sets = { cluster: ids(header.cluster), local: ids(header.local), serving: ids(servingRows(header)) };
      const after = readWord(services, id);
      if (after.row === word.row && after.epoch === word.epoch) return { header, ...sets };
    }
    return undefined;
  }

  /** By header; one whose set has gone since it was read counts as one without. */
  #sourceFilters(headers: readonly abi.BlockHeader[]): ReadonlyMap<abi.BlockHeader, SourceFilter> {
    const asking = headers.filter(({ sourceKinds }) => sourceKinds !== 0);
    const sets = asking.length === 0 ? new Map() : readSourceSets(this.#sourceRanges);
    return new Map(
      asking.map((header) => {
        const rules = sets.get(header.sourceSet)?.rules ?? [];
        return [header, { kinds: frontendKinds(header.sourceKinds), rules }];
      }),
    );
  }

  /** As many of a set's ids as lie in the map. */
  #ids(row: number, set: IdRows): readonly number[] {
    const { members } = this.#cells;
    const first = members.offset(row + set.firstRow);
    const count = Math.max(0, Math.min(set.count, (members.view.byteLength - first) / 4));
    return Array.from({ length: count }, (_, i) => members.view.getUint32(first + i * 4, HOST_LITTLE_ENDIAN));
  }

  #service(
    id: number,
    { header, cluster, local, serving }: BlockView,
    frontends: readonly FrontendState[],
    seen: Map<number, BackendState>,
    sources: ReadonlyMap<abi.BlockHeader, SourceFilter>,
  ): ServiceState {
    const meta = this.#meta(id);
    const has = (flag: number) => (header.flags & flag) !== 0;
    const backend = (backendId: number) => {
      const state = seen.get(backendId) ?? this.#backend(backendId);
      seen.set(backendId, state);
      return state;
    };
    return {
      id,
      key: keyOfMeta(meta),
      namespace: meta.namespace,
      name: meta.name,
      portName: meta.portName,
      protocol: protocolName(meta.proto),
      family: meta.family === 6 ? 6 : 4,
      type: TYPES[meta.type] ?? "ClusterIP",
      scheduler: SCHEDULERS[header.scheduler] ?? "default",
      affinitySeconds: header.affinityTimeout,
      affinityEpoch: header.affinityEpoch,
      internalLocal: has(abi.BlockFlags.BLOCK_INTERNAL_LOCAL),
      externalLocal: has(abi.BlockFlags.BLOCK_EXTERNAL_LOCAL),
      hasAnyEndpoints: has(abi.BlockFlags.BLOCK_HAS_ENDPOINTS),
      endsConnections: has(abi.BlockFlags.BLOCK_ENDS_CONNECTIONS),
      cluster: cluster.map(backend),
      local: local.map(backend),
      serving: serving.map(backend),
      tableSize: header.cluster.tableSize,
      frontends,
      stats: this.#stats(id),
      sources: sources.get(header),
    };
  }

  #isInUse(id: number): boolean {
    const flags = this.#serviceMeta.view.getUint8(this.#serviceMeta.offset(id) + abi.serviceMetaOffset.flags);
    return (flags & abi.ServiceMetaFlags.SERVICE_IN_USE) !== 0;
  }

  #meta(id: number): abi.ServiceMeta {
    return abi.serviceMeta.read(this.#serviceMeta.view, this.#serviceMeta.offset(id));
  }

  #backend(id: number): BackendState {
    const { backends } = this.#cells;
    const cell = abi.backend.read(backends.view, backends.offset(id));
    const connections = sumCpus(this.#backendStats, id, 1)[0] ?? 0n;
    return {
      id,
      address: ipFromBytes(cell.addr),
      port: cell.port,
      protocol: protocolName(cell.proto),
      local: (cell.flags & abi.BackendFlags.BACKEND_LOCAL) !== 0,
      terminating: (cell.flags & abi.BackendFlags.BACKEND_TERMINATING) !== 0,
      weight: cell.weight,
      nodeName: this.nameOf(cell.node),
      zone: this.nameOf(cell.zone),
      connections,
    };
  }

  #stats(id: number): abi.ServiceStats {
    const [connections = 0n, packets = 0n, bytes = 0n, rejects = 0n] = sumCpus(this.#serviceStats, id, 4);
    return { connections, packets, bytes, rejects };
  }
}

/** A per-CPU array's value of counters 64-bit words, summed over the CPUs. */
export function sumCpus(map: BpfMap, index: number, counters: number): readonly bigint[] {
  const sums = new Array<bigint>(counters).fill(0n);
  const perCpu = map.lookup(new Uint8Array(Uint32Array.of(index).buffer)) ?? new Uint8Array();
  const view = new DataView(perCpu.buffer, perCpu.byteOffset, perCpu.byteLength);
  for (let i = 0; i < perCpu.length / 8; i++) {
    const counter = i % counters;
    sums[counter] = (sums[counter] ?? 0n) + view.getBigUint64(i * 8, HOST_LITTLE_ENDIAN);
  }
  return sums;
}
