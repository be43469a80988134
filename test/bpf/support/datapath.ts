// SPDX-License-Identifier: Apache-2.0
// One loaded copy of the tc programs with its own maps: packets go in, verdicts, bytes, counters and flow records come out.

import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../../src/datapath/ebpf/codec.ts";
import { ipFromBytes } from "../../../src/model/ip.ts";
import { earlierLayoutWanted, earlierRodata, earlierSizes, moveBack, moveForward } from "./earlier-layout.ts";
import type { FuzzReport } from "./fuzz/fuzz.ts";
import type { Entry, Hook, LoadOptions, Machine } from "./machine.ts";
import { type DeviceName, deviceIndex } from "./topology.ts";
import { backendNames, nodeEntries, type Service, serviceEntries } from "./world.ts";

/** Counters that are not zero: "web.packets", "web[0].connections", "drops.no_flow". */
export type Counters = Readonly<Record<string, number>>;

export const verdicts: Readonly<Record<number, string>> = { [-1]: "next", 2: "drop", 7: "redirect" };
/** XDP_TX sends back out of the device. */
const xdpVerdicts: typeof verdicts = { 2: "next", 3: "back" };

export interface Outcome {
  /** "next", "drop", "redirect", of XDP "back" too; the number when it is none of these */
  readonly verdict: string;
  readonly data: Uint8Array;
  readonly mark: number;
}

export interface FlowRecord {
  readonly table: "flows" | "nascent";
  readonly key: Uint8Array;
  readonly flow: abi.Flow;
}

export interface Settings {
  readonly rodata?: LoadOptions["rodata"];
  readonly sizes?: LoadOptions["sizes"];
}

const smallMaps = {
  frontends: 128,
  addresses: 128,
  source_ranges: 64,
  services: 64,
  members: 256,
  tables: 64,
  backends: 64,
  service_meta: 1,
  names: 1,
  devices: 32,
  flows: 1024,
  nascent: 4096,
  affinity: 4096,
  client_netns: 64,
  service_stats: 64,
  backend_stats: 64,
};

export function u16(value: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(value).buffer);
}

/** The one port that SNAT and remapping can draw, so that output bytes are known beforehand. */
export const ONLY_PORT = 40000;
const onePort = { snat_port_min: u16(ONLY_PORT), snat_port_max: u16(ONLY_PORT) };
const csumFlag = { csum_ipv6_flag: new Uint8Array(BigUint64Array.of(1n << 7n).buffer) };
/** Two days: past every idle limit. */
const LONG_SECONDS = 2 * 86400;

export class Datapath {
  readonly machine: Machine;
  readonly #handle: number;
  readonly #services: readonly Service[];

  private constructor(machine: Machine, handle: number, services: readonly Service[]) {
    this.machine = machine;
    this.#handle = handle;
    this.#services = services;
  }

  /** Draws only ONLY_PORT unless settings say otherwise. */
  static async load(machine: Machine, services: readonly Service[], settings: Settings = {}): Promise<Datapath> {
    const earlier = earlierLayoutWanted();
    const rodata = { ...csumFlag, ...onePort, ...(earlier ? earlierRodata : {}), ...settings.rodata };
    const sizes = { ...smallMaps, ...(earlier ? earlierSizes : {}), ...settings.sizes };
    const handle = await machine.load({ rodata, sizes });
    const datapath = new Datapath(machine, handle, services);
    for (const state of [nodeEntries, serviceEntries(services)]) {
      for (const [map, entries] of Object.entries(state)) await datapath.write(map, entries);
    }
    return datapath;
  }

  async write(map: string, entries: readonly Entry[]): Promise<void> {
    await this.machine.ask({ do: "write", handle: this.#handle, map, entries });
  }

  /** Until this one's generation serves, packets are the other's. */
  async handOnTo(other: Datapath): Promise<void> {
    await this.machine.ask({ do: "handOn", handle: this.#handle, to: other.#handle });
  }

  async remove(map: string, keys: readonly Uint8Array[]): Promise<void> {
    await this.machine.ask({ do: "remove", handle: this.#handle, map, keys });
  }

  async run(hook: Hook, device: DeviceName, data: Uint8Array, mark = 0, gsoSize = 0): Promise<Outcome> {
    if (earlierLayoutWanted()) await moveBack(this);
    const packet = { program: `pt_${hook}`, ifindex: deviceIndex[device], mark, gsoSize, data } as const;
    const done = await this.machine.ask({ do: "run", handle: this.#handle, packet });
    const names = hook === "xdp" ? xdpVerdicts : verdicts;
    return { ...done, verdict: names[done.verdict] ?? String(done.verdict) };
  }

  /** Random packets through all programs, judged by the reference model: fuzz/fuzz.ts. */
  fuzz(seed: number, packets: number): Promise<FuzzReport> {
    const plan = { services: this.#services, seed, packets };
    return this.machine.ask({ do: "fuzz", handle: this.#handle, plan });
  }

  async counters(): Promise<Counters> {
    const counted = new Map<string, number>();
    const service = (id: number): string => this.#services[id - 1]?.name ?? `service ${id}`;
    const backends = backendNames(this.#services);
    const fields = ["connections", "packets", "bytes", "rejects"];
    await this.#sum("service_stats", (id, field) => `${service(id)}.${fields[field]}`, counted);
    await this.#sum("backend_stats", (id) => `${backends[id - 1] ?? `backend ${id}`}.connections`, counted);
    await this.#sum("drops", (reason) => `drops.${abi.dropReasonNames[reason] ?? reason}`, counted);
    return Object.fromEntries(counted);
  }

  async records(): Promise<FlowRecord[]> {
    if (earlierLayoutWanted()) await moveForward(this);
    const found: FlowRecord[] = [];
    for (const table of ["flows", "nascent"] as const) {
      for (const [key, value] of await this.entries(table)) found.push({ table, key, flow: decode(abi.flow, value) });
    }
    return found;
  }

  /** Owners and PASS records in a line each, sorted: enough to say what the tables hold. */
  async flows(): Promise<readonly string[]> {
    const records = await this.records();
    return records.flatMap(({ table, flow }) => (flow.role === 2 ? [] : [describeFlow(table, flow)])).sort();
  }

  /**
   * Lets every record grow old, then sweeps. Returns what is left: nothing, unless a record is in nobody's hands.
   */
  async expireAll(): Promise<{ readonly left: readonly string[]; readonly report: SweepReport }> {
    for (const { table, key, flow } of await this.records()) {
      const old = { ...flow, created: flow.created - LONG_SECONDS, lastSeen: flow.lastSeen - LONG_SECONDS };
      await this.write(table, [[key, encode(abi.flow, old)]]);
    }
    const report = await this.sweep();
    const left = (await this.records()).map(({ table, flow }) => describeFlow(table, flow));
    return { left, report };
  }

  /** What eviction does: takes every nascent record of a kind. Returns how many. */
  async evict(kind: RecordKind): Promise<number> {
    const records = (await this.records()).filter((record) => record.table === "nascent" && kindOf(record) === kind);
    const keys = records.map(({ key }) => key);
    await this.machine.ask({ do: "remove", handle: this.#handle, map: "nascent", keys });
    return keys.length;
  }

  /** Whatever an earlier, failed scenario left. */
  async forgetFlows(): Promise<void> {
    if (earlierLayoutWanted()) await moveForward(this);
    for (const table of ["flows", "nascent"] as const) {
      const keys = (await this.entries(table)).map(([key]) => key);
      await this.machine.ask({ do: "remove", handle: this.#handle, map: table, keys });
    }
  }

  async sweep(): Promise<SweepReport> {
    const raw = await this.machine.ask({ do: "sweep", handle: this.#handle });
    const word = (index: number): number => new DataView(raw.buffer, raw.byteOffset).getUint32(index * 4, true);
    return { scanned: word(0), owners: word(1), indexes: word(2), failed: word(3) };
  }

  /** Everything a map holds. */
  entries(map: string): Promise<readonly Entry[]> {
    return this.machine.ask({ do: "entries", handle: this.#handle, map });
  }

  /** Adds the u64 fields of a per-CPU array's values over the CPUs. */
  async #sum(map: string, name: (id: number, field: number) => string, into: Map<string, number>): Promise<void> {
    const perCpu = map === "service_stats" ? 4 : 1;
    for (const [key, value] of await this.entries(map)) {
      const id = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      for (let at = 0; at < value.length; at += 8) {
        const count = Number(view.getBigUint64(at, true));
        const counter = name(id, (at / 8) % perCpu);
        if (count > 0) into.set(counter, (into.get(counter) ?? 0) + count);
      }
    }
  }
}

export interface SweepReport {
  readonly scanned: number;
  readonly owners: number;
  readonly indexes: number;
  readonly failed: number;
}

export type RecordKind = "owner" | "inner" | "snat";

function kindOf({ key, flow }: FlowRecord): RecordKind {
  if (flow.role !== abi.FlowRole.FLOW_INDEX) return "owner";
  return key[abi.flowKeyOffset.space] === abi.FlowSpace.SPACE_INNER ? "inner" : "snat";
}

const at = (addr: Uint8Array, port: number): string => {
  const text = ipFromBytes(addr);
  return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
};

/** "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 as 192.0.2.1:40000 answered" */
function describeFlow(table: string, flow: abi.Flow): string {
  const words = [table, abi.flowRoleNames[flow.role] ?? `role ${flow.role}`, at(flow.client, flow.clientPort), ">"];
  words.push(at(flow.vip, flow.vipPort));
  if (flow.role !== abi.FlowRole.FLOW_PASS) words.push(">", at(flow.backend, flow.backendPort));
  if (flow.mappedPort !== flow.clientPort) words.push(`mapped ${flow.mappedPort}`);
  if ((flow.flags & abi.FlowFlags.FLOW_SNAT) !== 0) words.push("as", at(flow.snat, flow.snatPort));
  for (const [bit, name] of Object.entries(abi.flowFlagsNames)) {
    if ((flow.flags & Number(bit)) !== 0 && name !== "snat") words.push(name);
  }
  for (const [bit, name] of Object.entries(abi.flowStateNames)) {
    // lasting ones are those in `flows`, which the line begins with
    if ((flow.state & Number(bit)) !== 0 && name !== "lasting") words.push(name);
  }
  return words.join(" ");
}
