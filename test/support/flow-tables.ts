// SPDX-License-Identifier: Apache-2.0
// The sweeper over flow tables of its own, and flows to put into them: each key written out as bpf/flow.bpf.h makes it.

import { join } from "node:path";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "../../src/datapath/ebpf/codec.ts";
import { bpfDirectory } from "../../src/datapath/ebpf/programs.ts";
import { type BpfMap, type LoadedBpfObject, openObject } from "../../src/libbpf/index.ts";
import { ipToBytes } from "../../src/model/ip.ts";
import { ip } from "./compiled.ts";

const { FLOW_OWNER, FLOW_INDEX } = abi.FlowRole;
const { SPACE_OUTER, SPACE_INNER } = abi.FlowSpace;

export type Table = "flows" | "nascent";

/** Seconds since boot, as bpf_ktime_get_ns() has them. */
export function bootSeconds(): number {
  return Number(process.hrtime.bigint() / 1_000_000_000n);
}

export class FlowTables implements Disposable {
  readonly #object: LoadedBpfObject;

  /** timeouts: seconds, by the names in bpf/config.bpf.h */
  constructor(timeouts: Readonly<Record<string, number>> = {}) {
    using object = openObject(join(bpfDirectory(), "sweep.bpf.o"));
    for (const name of ["service_stats", "backend_stats", "services", "members", "tables", "backends", "names"]) {
      object.setMaxEntries(name, 16);
    }
    object.setMaxEntries("service_meta", 16);
    object.setMaxEntries("nascent", 1024);
    for (const [name, seconds] of Object.entries(timeouts)) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, seconds, HOST_LITTLE_ENDIAN);
      object.setRodata(name, bytes);
    }
    this.#object = object.load();
  }

  put(table: Table, key: abi.FlowKey, record: abi.Flow): void {
    this.#table(table).update(encode(abi.flowKey, key), encode(abi.flow, record));
  }

  has(table: Table, key: abi.FlowKey): boolean {
    return this.#table(table).lookup(encode(abi.flowKey, key)) !== undefined;
  }

  size(table: Table): number {
    return [...this.#table(table).entries()].length;
  }

  clear(): void {
    for (const table of ["flows", "nascent"] as const) {
      for (const [key] of [...this.#table(table).entries()]) this.#table(table).delete(key);
    }
  }

  sweep(): abi.SweepReport {
    const { ctxOut } = this.#object.program("pt_sweep").testRun({ ctx: new Uint8Array(abi.sweepReport.size) });
    return decode(abi.sweepReport, ctxOut);
  }

  #table(table: Table): BpfMap {
    return this.#object.map(table);
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]();
  }
}

/** TCP from a pod to 10.96.0.1:80, served by 10.9.2.20:8080 behind SNAT, made a while ago and seen now. */
export function flow(more: Partial<abi.Flow> = {}): abi.Flow {
  return {
    client: ipToBytes(ip("10.9.1.10")),
    vip: ipToBytes(ip("10.96.0.1")),
    backend: ipToBytes(ip("10.9.2.20")),
    snat: ipToBytes(ip("192.168.50.1")),
    clientPort: 40_000,
    vipPort: 80,
    backendPort: 8080,
    snatPort: 50_000,
    mappedPort: 40_000,
    role: FLOW_OWNER,
    proto: 6,
    service: 1,
    backendId: 1,
    epoch: 1,
    created: bootSeconds() - 100,
    lastSeen: bootSeconds(),
    flags: abi.FlowFlags.FLOW_SNAT,
    state: abi.FlowState.FLOW_ANSWERED | abi.FlowState.FLOW_LASTING,
    ...more,
  };
}

export function index(of: abi.Flow): abi.Flow {
  return { ...of, role: FLOW_INDEX };
}

export function ownerKey(f: abi.Flow): abi.FlowKey {
  return { src: f.client, dst: f.vip, sport: f.clientPort, dport: f.vipPort, proto: f.proto, space: SPACE_OUTER };
}

export function snatKey(f: abi.Flow): abi.FlowKey {
  return { src: f.backend, dst: f.snat, sport: f.backendPort, dport: f.snatPort, proto: f.proto, space: SPACE_OUTER };
}

/** With the client's end first: the order of flow()'s addresses on a little-endian machine. */
export function innerKey(f: abi.Flow): abi.FlowKey {
  return {
    src: f.client,
    dst: f.backend,
    sport: f.mappedPort,
    dport: f.backendPort,
    proto: f.proto,
    space: SPACE_INNER,
  };
}

/** The other order of the same two ends. */
export function reversedInnerKey(f: abi.Flow): abi.FlowKey {
  const { src, dst, sport, dport, ...rest } = innerKey(f);
  return { src: dst, dst: src, sport: dport, dport: sport, ...rest };
}
