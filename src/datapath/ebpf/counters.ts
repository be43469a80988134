// SPDX-License-Identifier: Apache-2.0
// What the programs count and how full the maps are, for metrics: read when somebody asks, in pieces between which
// changes go their way. What the agent writes itself it knows without a look.

import type { ServiceKey } from "../../compile/state.ts";
import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { decode, HOST_LITTLE_ENDIAN } from "./codec.ts";
import { sumCpus } from "./state-services.ts";
import type { DropState, MapFill } from "./state-types.ts";
import type { Stores } from "./stores.ts";

/** BPF_MAP_TYPE_LRU_HASH of linux/bpf.h */
const LRU_HASH = 9;
/** Entries read in one go: a syscall, some 0.2 ms. */
const PIECE = 1024;

/** Of the halves of a 64-bit word. */
const [LOW, HIGH] = HOST_LITTLE_ENDIAN ? [0, 4] : [4, 0];

/** What the last sweep saw of the flow tables. */
export type FlowCounts = Pick<abi.SweepReport, "scanned" | "nascent" | "owners" | "snat">;

/** Since the service got its place in the kernel. */
export interface ServiceCounts {
  readonly key: ServiceKey;
  readonly connections: number;
  readonly packets: number;
  readonly bytes: number;
  readonly rejects: number;
}

/** How hard SNAT ports were come by, since the pinned maps were made. */
export interface SnatTries {
  /** By n: ports that took at most 2^n tries, and more than half as many. */
  readonly buckets: readonly number[];
  /** Of all of them. */
  readonly tries: number;
}

export interface CountersOptions {
  readonly map: (name: string) => BpfMap;
  readonly stores: Stores;
  /** Those in the kernel. */
  readonly services: ReadonlyMap<ServiceKey, { readonly id: number }>;
  /** undefined: nothing was swept yet. */
  readonly swept: () => FlowCounts | undefined;
}

export class Counters {
  readonly #options: CountersOptions;

  constructor(options: CountersOptions) {
    this.#options = options;
  }

  /** Those in use, in the order of their numbers. */
  drops(): readonly DropState[] {
    return readDrops(this.#options.map("drops"));
  }

  /** As of the last sweep, seconds ago. */
  get flows(): FlowCounts | undefined {
    return this.#options.swept();
  }

  snatTries(): SnatTries {
    const map = this.#options.map("snat_tries");
    const rows = Array.from({ length: map.maxEntries }, (_, bucket) => sumCpus(map, bucket, 2).map(Number));
    return {
      buckets: rows.map(([ports = 0]) => ports),
      tries: rows.reduce((sum, [, tries = 0]) => sum + tries, 0),
    };
  }

  /** Flags of each device that has programs, abi.DeviceFlags. */
  devices(): readonly number[] {
    return [...this.#options.map("devices").entries()].map(([, value]) => decode(abi.device, value).flags);
  }

  /** What waits for an RCU period is in use. Ids 0 and rows 0 are never used. */
  async fill(): Promise<readonly MapFill[]> {
    const { stores, map, swept } = this.#options;
    const { blocks, backends, serviceIds, names, frontends, addresses, sources } = stores;
    const ownRows = [
      { map: "services", used: serviceIds.taken, size: serviceIds.size - 1 },
      { map: "members", used: blocks.rows.size - 1 - blocks.rows.freeRows, size: blocks.rows.size - 1 },
      { map: "tables", used: blocks.tableRows.size - 1 - blocks.tableRows.freeRows, size: blocks.tableRows.size - 1 },
      { map: "backends", used: backends.pool.taken, size: backends.pool.size - 1 },
      { map: "names", used: names.pool.taken, size: names.pool.size - 1 },
      { map: "frontends", used: frontends.used, size: frontends.size },
      { map: "addresses", used: addresses.used, size: addresses.size },
      { map: "source_ranges", used: sources.used, size: sources.size },
    ];
    const flows = swept();
    const sweptRows = flows
      ? [
          { map: "flows", used: flows.scanned - flows.nascent, size: map("flows").maxEntries },
          { map: "nascent", used: flows.nascent, size: map("nascent").maxEntries },
        ]
      : [];
    const rows = [...ownRows, ...sweptRows];
    for (const name of ["affinity", "devices", "opted_out"]) {
      rows.push({ map: name, used: await countEntries(map(name)), size: map(name).maxEntries });
    }
    return rows.map((row) => ({ ...row, evicts: map(row.map).type === LRU_HASH }));
  }

  /** By id: what was published first comes first, as long as ids are not used again. */
  async services(): Promise<readonly ServiceCounts[]> {
    const { services, map } = this.#options;
    const keys = new Map<number, ServiceKey>();
    let last = 0;
    for (const [key, { id }] of services) {
      keys.set(id, key);
      last = Math.max(last, id);
    }
    const found: ServiceCounts[] = [];
    for (const [keyBytes, value] of map("service_stats").entries()) {
      const id = viewOf(keyBytes).getUint32(0, HOST_LITTLE_ENDIAN);
      if (id > last) break;
      const key = keys.get(id);
      if (key !== undefined) found.push({ key, ...sumServiceStats(viewOf(value)) });
      if (id % PIECE === PIECE - 1) await othersTurn();
    }
    return found;
  }
}

/** Packets and connect() calls by reason, those that are not in use left out. */
export function readDrops(map: BpfMap): readonly DropState[] {
  const found: DropState[] = [];
  for (let reason = 1; reason < abi.DropReason.DROP_REASONS; reason++) {
    const name = abi.dropReasonNames[reason] ?? String(reason);
    if (/^unused\d+$/.test(name)) continue;
    const [count = 0n] = sumCpus(map, reason, 1);
    found.push({ reason, name, count });
  }
  return found;
}

/** struct service_stats of each CPU, one behind the other. */
function sumServiceStats(perCpu: DataView): Omit<ServiceCounts, "key"> {
  const { connections, packets, bytes, rejects } = abi.serviceStatsOffset;
  return {
    connections: sumWords(perCpu, connections),
    packets: sumWords(perCpu, packets),
    bytes: sumWords(perCpu, bytes),
    rejects: sumWords(perCpu, rejects),
  };
}

/** By halves of each word: bigints would take several times as long. */
function sumWords(perCpu: DataView, first: number): number {
  let sum = 0;
  for (let at = first; at < perCpu.byteLength; at += abi.serviceStats.size) {
    sum += perCpu.getUint32(at + LOW, HOST_LITTLE_ENDIAN) + perCpu.getUint32(at + HIGH, HOST_LITTLE_ENDIAN) * 2 ** 32;
  }
  return sum;
}

async function countEntries(map: BpfMap): Promise<number> {
  let count = 0;
  for (const _ of map.entries()) if (++count % PIECE === 0) await othersTurn();
  return count;
}

function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
