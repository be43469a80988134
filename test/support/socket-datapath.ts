// SPDX-License-Identifier: Apache-2.0
// The socket programs with maps of their own and the real writer, on a cgroup made for the test: no pins, no agent.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CompiledService, ServiceKey } from "../../src/compile/state.ts";
import type { NodeAddress } from "../../src/datapath/contract.ts";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "../../src/datapath/ebpf/codec.ts";
import { bpfDirectory } from "../../src/datapath/ebpf/programs.ts";
import { MapWriter } from "../../src/datapath/ebpf/writer.ts";
import {
  type BpfLink,
  type BpfMap,
  type CgroupAttachType,
  type LoadedBpfObject,
  openObject,
  rcuSync,
} from "../../src/libbpf/index.ts";

const HOOKS: readonly CgroupAttachType[] = [
  "connect4",
  "connect6",
  "sendmsg4",
  "sendmsg6",
  "recvmsg4",
  "recvmsg6",
  "getpeername4",
  "getpeername6",
];

/**
 * Small, so that loading is quick, but with room for histories that remove and publish faster than RCU periods end; what
 * is not named keeps its size.
 */
const SIZES: Readonly<Record<string, number>> = {
  services: 4096,
  service_meta: 4096,
  service_stats: 4096,
  members: 4096,
  tables: 4096,
  backends: 4096,
  backend_stats: 4096,
  names: 64,
  nascent: 1024,
  affinity: 1024,
  client_netns: 64,
};

/** Variables of bpf/config.bpf.h. */
export interface SocketConfig {
  /** Sockets of the network namespace with this cookie are the host's, all others pods'. Default 0: pods only. */
  readonly hostNetnsCookie?: bigint;
  readonly masqueradeAll?: boolean;
  /** false: as on kernels before 5.18. */
  readonly setRetval?: boolean;
}

export class SocketDatapath implements Disposable {
  readonly writer: MapWriter;
  readonly #config: SocketConfig;
  readonly #maps: LoadedBpfObject;
  #programs: LoadedBpfObject;
  #links: readonly BpfLink[] = [];

  constructor(config: SocketConfig = {}) {
    this.#config = config;
    this.#maps = load("cgroup", config);
    this.#programs = this.#maps;
    const map = (name: string) => this.#maps.map(name);
    this.writer = new MapWriter(
      {
        frontends: map("frontends"),
        addresses: map("addresses"),
        service_ranges: map("service_ranges"),
        source_ranges: map("source_ranges"),
        services: map("services"),
        members: map("members"),
        tables: map("tables"),
        backends: map("backends"),
        service_meta: map("service_meta"),
        names: map("names"),
        service_stats: map("service_stats"),
        backend_stats: map("backend_stats"),
      },
      { rcuSync, onError: (error) => console.error(error), graceMs: 0 },
    );
    this.writer.adopt();
    this.writer.sync({ upsert: [], remove: [] });
  }

  /** Throws when the change has to wait for room: what a test asks next would meet the state before it. */
  publish(...services: readonly CompiledService[]): void {
    this.writer.apply({ upsert: services, remove: [] });
    if (this.writer.pending.size > 0) throw new Error(`no room yet for ${[...this.writer.pending].join(" ")}`);
  }

  remove(...keys: readonly ServiceKey[]): void {
    this.writer.apply({ upsert: [], remove: keys });
  }

  setNodeAddresses(addresses: readonly NodeAddress[]): void {
    this.writer.setNodeAddresses(addresses);
  }

  /** Puts the programs on a cgroup. */
  attach(cgroup: string): void {
    this.#links = HOOKS.map((hook) => this.#programs.program(`pt_${hook}`).attachCgroup(cgroup, hook));
  }

  /** Loads the programs once more over the same maps and puts them in place of those attached, as an upgrade does. */
  replacePrograms(): void {
    const before = this.#programs;
    this.#programs = load("cgroup", this.#config, this.#maps);
    for (const [i, hook] of HOOKS.entries()) this.#links[i]?.update(this.#programs.program(`pt_${hook}`));
    if (before !== this.#maps) before[Symbol.dispose]();
  }

  /** Another object over the same maps; rodata: variables of its own. */
  loadBeside(object: string, rodata: Readonly<Record<string, number>> = {}): LoadedBpfObject {
    return load(object, this.#config, this.#maps, rodata);
  }

  /** Counters of a Service, all CPUs together. */
  stats(key: ServiceKey): { readonly connections: number; readonly rejects: number } {
    const id = this.serviceId(key);
    const cells = perCpu(this.#maps.map("service_stats"), id, abi.serviceStats.size).map((cell) =>
      decode(abi.serviceStats, cell),
    );
    const sum = (field: "connections" | "rejects") => cells.reduce((total, cell) => total + Number(cell[field]), 0);
    return { connections: sum("connections"), rejects: sum("rejects") };
  }

  /** Connections by backend, "address:port" as it stands in `backends`. */
  connectionsByBackend(): readonly { readonly address: Uint8Array; readonly port: number; readonly count: number }[] {
    const backends = this.#maps.map("backends");
    const found = [];
    for (let id = 1; id < backends.maxEntries; id++) {
      const cell = backends.lookup(u32(id));
      const backend = cell && decode(abi.backend, cell);
      if (!backend || (backend.flags & abi.BackendFlags.BACKEND_LIVE) === 0) continue;
      const cells = perCpu(this.#maps.map("backend_stats"), id, abi.backendStats.size);
      const count = cells.reduce((total, bytes) => total + Number(decode(abi.backendStats, bytes).connections), 0);
      found.push({ address: backend.addr, port: backend.port, count });
    }
    return found;
  }

  /** Refusals and drops for one reason, all CPUs together. */
  drops(reason: number): number {
    return perCpu(this.#maps.map("drops"), reason, 8).reduce(
      (total, cell) => total + Number(new DataView(cell.buffer, cell.byteOffset).getBigUint64(0, HOST_LITTLE_ENDIAN)),
      0,
    );
  }

  /** Lets this many seconds pass for everything that session affinity remembers. Returns how many entries there are. */
  ageAffinity(seconds: number): number {
    const map = this.#maps.map("affinity");
    const entries = [...map.entries()];
    for (const [key, value] of entries) {
      const memory = decode(abi.affinity, value);
      map.update(key, encode(abi.affinity, { ...memory, lastUsed: memory.lastUsed - seconds }));
    }
    return entries.length;
  }

  serviceId(key: ServiceKey): number {
    const meta = this.#maps.map("service_meta");
    for (let id = 1; id < meta.maxEntries; id++) {
      const cell = meta.lookup(u32(id));
      if (!cell) continue;
      const { namespace, name, portName, proto, family, flags } = decode(abi.serviceMeta, cell);
      const protocol = proto === 6 ? "TCP" : "UDP";
      if (flags !== 0 && key === `${namespace}/${name}:${portName}/${protocol}/IPv${family}`) return id;
    }
    throw new Error(`no service ${key} in service_meta`);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) {
      link.detach();
      link[Symbol.dispose]();
    }
    this.writer[Symbol.dispose]();
    this.#programs[Symbol.dispose]();
    if (this.#programs !== this.#maps) this.#maps[Symbol.dispose]();
  }
}

function load(
  name: string,
  config: SocketConfig,
  shared?: LoadedBpfObject,
  rodata: Readonly<Record<string, number>> = {},
): LoadedBpfObject {
  using object = openObject(join(bpfDirectory(), `${name}.bpf.o`));
  for (const map of object.mapNames) {
    if (map.includes(".") || map === "explained") continue;
    const size = SIZES[map];
    if (shared) object.reuseMap(map, shared.map(map));
    else if (size !== undefined) object.setMaxEntries(map, size);
  }
  object.setRodata("host_netns_cookie", u64(config.hostNetnsCookie ?? 0n));
  object.setRodata("masquerade_all", u32(config.masqueradeAll ? 1 : 0));
  object.setRodata("has_set_retval", u32((config.setRetval ?? true) ? 1 : 0));
  if (name === "explain") object.setRodata("dry_run", u32(1));
  for (const [variable, value] of Object.entries(rodata)) object.setRodata(variable, u32(value));
  return object.load();
}

/** A cgroup of the test's own. enter() and leave() move this very process; sockets belong where they were created. */
export class TestCgroup implements Disposable {
  readonly path: string;
  readonly #home: string;

  constructor(name: string) {
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    const mount = mounts.map((line) => line.split(" ")).find((fields) => fields[2] === "cgroup2")?.[1];
    if (mount === undefined) throw new Error("no cgroup2 filesystem is mounted");
    const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
    this.#home = join(mount, own);
    this.path = join(mount, `pt-${name}-${process.pid}`);
    mkdirSync(this.path);
  }

  enter(): void {
    writeFileSync(join(this.path, "cgroup.procs"), String(process.pid));
  }

  leave(): void {
    writeFileSync(join(this.#home, "cgroup.procs"), String(process.pid));
  }

  [Symbol.dispose](): void {
    this.leave();
    rmdirSync(this.path);
  }
}

/** The values of all CPUs at an index of a per-CPU array. */
function perCpu(map: BpfMap, index: number, size: number): readonly Uint8Array[] {
  const bytes = map.lookup(u32(index)) ?? new Uint8Array();
  const stride = Math.ceil(size / 8) * 8;
  return Array.from({ length: bytes.length / stride }, (_, cpu) => bytes.subarray(cpu * stride, cpu * stride + size));
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, HOST_LITTLE_ENDIAN);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, HOST_LITTLE_ENDIAN);
  return bytes;
}
