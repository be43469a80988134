// SPDX-License-Identifier: Apache-2.0
// The writer's maps in memory, small, with a hook after every write, and helpers that make compiled services.

import type { CompiledService, Frontend, Member, ServiceKey } from "../../../src/compile/state.ts";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import type { WriterMaps } from "../../../src/datapath/ebpf/stores.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import type { BpfMap } from "../../../src/libbpf/types.ts";
import type { Ip } from "../../../src/model/ip.ts";

/** A hash or array map; every single entry of a batch is a write of its own. */
export class MemoryMap implements BpfMap {
  readonly type = 1;
  readonly id = 0;
  readonly fd = -1;
  onWrite: (() => void) | undefined;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly #entries = new Map<string, Uint8Array>();
  readonly #memory: ArrayBuffer;

  constructor(name: string, keySize: number, valueSize: number, maxEntries: number) {
    this.name = name;
    this.keySize = keySize;
    this.valueSize = valueSize;
    this.maxEntries = maxEntries;
    this.#memory = new ArrayBuffer(valueSize * maxEntries);
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    if (this.#isArray) return this.#cell(key);
    return this.#entries.get(hex(key)) ?? (this.name.endsWith("_stats") ? new Uint8Array(this.valueSize) : undefined);
  }
  update(key: Uint8Array, value: Uint8Array): void {
    if (this.#isArray) {
      this.#cell(key).set(value);
      this.onWrite?.();
      return;
    }
    if (!this.#entries.has(hex(key)) && this.#entries.size === this.maxEntries) throw new Error(`${this.name}: E2BIG`);
    this.#entries.set(hex(key), value.slice());
    this.onWrite?.();
  }
  delete(key: Uint8Array): boolean {
    const found = this.#entries.delete(hex(key));
    this.onWrite?.();
    return found;
  }
  *entries(): IterableIterator<readonly [Uint8Array, Uint8Array]> {
    for (let i = 0; this.#isArray && i < this.maxEntries; i++) {
      const key = new Uint8Array(Uint32Array.of(i).buffer);
      yield [key, this.#cell(key)];
    }
    for (const [key, value] of [...this.#entries]) yield [Buffer.from(key, "hex"), value];
  }
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    for (let i = 0; i < count; i++) {
      const key = keys.subarray(i * this.keySize, (i + 1) * this.keySize);
      this.update(key, values.subarray(i * this.valueSize, (i + 1) * this.valueSize));
    }
    return count;
  }
  deleteBatch(keys: Uint8Array, count: number): number {
    for (let i = 0; i < count; i++) this.delete(keys.subarray(i * this.keySize, (i + 1) * this.keySize));
    return count;
  }
  get #isArray(): boolean {
    return this.keySize === 4 && !this.name.endsWith("_stats");
  }
  #cell(key: Uint8Array): Uint8Array {
    const index = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
    return new Uint8Array(this.#memory, index * this.valueSize, this.valueSize);
  }
  /** The map as a killed process would leave it. */
  copy(): MemoryMap {
    const copy = new MemoryMap(this.name, this.keySize, this.valueSize, this.maxEntries);
    for (const [key, value] of this.#entries) copy.#entries.set(key, value);
    new Uint8Array(copy.#memory).set(new Uint8Array(this.#memory));
    return copy;
  }
  mmap(): ArrayBuffer {
    return this.#memory;
  }
  unmap(): void {}
  pin(): void {}
  [Symbol.dispose](): void {}
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export interface Sizes {
  readonly services: number;
  readonly members: number;
  readonly tables: number;
  readonly backends: number;
  readonly names: number;
  readonly frontends: number;
  readonly sourceRanges: number;
}

export const SMALL: Sizes = {
  services: 32,
  members: 256,
  tables: 1024,
  backends: 256,
  names: 32,
  frontends: 64,
  sourceRanges: 512,
};

export type MemoryMaps = { readonly [name in keyof WriterMaps]: MemoryMap };

export function memoryMaps(sizes: Partial<Sizes> = {}): MemoryMaps {
  const { services, members, tables, backends, names, frontends, sourceRanges } = { ...SMALL, ...sizes };
  const array = (name: string, size: number, count: number) => new MemoryMap(name, 4, size, count);
  return {
    frontends: new MemoryMap("frontends", abi.frontendKey.size, abi.frontend.size, frontends),
    addresses: new MemoryMap("addresses", 16, abi.address.size, frontends + 16),
    service_ranges: array("service_ranges", abi.serviceRanges.size, 1),
    source_ranges: new MemoryMap("source_ranges", abi.sourceKey.size, abi.sourceVerdict.size, sourceRanges),
    services: array("services", abi.serviceWord.size, services),
    members: array("members", abi.blockRow.size, members),
    tables: array("tables", abi.tableRow.size, tables),
    backends: array("backends", abi.backend.size, backends),
    service_meta: array("service_meta", abi.serviceMeta.size, services),
    names: array("names", abi.nameRow.size, names),
    service_stats: array("service_stats", abi.serviceStats.size, services),
    backend_stats: array("backend_stats", abi.backendStats.size, backends),
  };
}

export function copyMaps(maps: MemoryMaps): MemoryMaps {
  return Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, map.copy()])) as unknown as MemoryMaps;
}

export function member(address: string, over: Partial<Member> = {}): Member {
  const rest = { port: 8080, nodeName: "node-a", zone: undefined, local: false, terminating: false, weight: 1 };
  return { address: address as Ip, ...rest, ...over };
}

export function clusterIp(address: string, port = 80): Frontend {
  return { kind: "ClusterIP", address: address as Ip, port };
}

export function nodePort(port: number): Frontend {
  return { kind: "NodePort", address: undefined, port };
}

/** Service default/NAME, TCP, IPv4, type ClusterIP. */
export function service(name: string, over: Partial<CompiledService> = {}): CompiledService {
  return {
    key: `default/${name}:/TCP/IPv4` as ServiceKey,
    namespace: "default",
    name,
    portName: "",
    protocol: "TCP",
    family: 4,
    type: "ClusterIP",
    frontends: [clusterIp("10.96.0.1")],
    cluster: [],
    local: [],
    serving: [],
    internalLocal: false,
    externalLocal: false,
    hasAnyEndpoints: (over.cluster?.length ?? 0) > 0,
    scheduler: "default",
    affinitySeconds: 0,
    endsConnections: false,
    sources: undefined,
    ...over,
  };
}

/** Has read what they hold; whatever fails is thrown. */
export function writerOver(maps: MemoryMaps): MapWriter {
  const writer = new MapWriter(maps, {
    rcuSync: () => Promise.resolve(),
    onError: (error) => {
      throw error;
    },
  });
  writer.adopt();
  return writer;
}
