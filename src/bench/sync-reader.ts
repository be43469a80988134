// SPDX-License-Identifier: Apache-2.0
// The other process of `bench sync`: reads from the pinned maps, by system calls, whom a frontend sends connections to.
// A change counts only if this process has seen it.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import * as abi from "../datapath/ebpf/abi.gen.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "../datapath/ebpf/codec.ts";
import { mapPin, type Pins, pinsUnder } from "../datapath/ebpf/pins.ts";
import { type BpfMap, batchOtherThreads, openPinnedMap } from "../libbpf/index.ts";
import { type Ip, ipFromBytes, ipToBytes } from "../model/ip.ts";

const TCP = 6;

interface Question {
  readonly address: Ip;
  readonly port: number;
}

/** Asks a child process that runs `serveReader`. */
export class SyncReader implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** command: what runs `portolan` (argv[1] of this process). */
  static async start(script: string, bpffs: string): Promise<SyncReader> {
    const child = fork(script, ["bench", "sync-reader", "--bpffs", bpffs], { execArgv: process.execArgv });
    await once(child, "message");
    return new SyncReader(child);
  }

  /** Endpoints of the Service behind address:port as the kernel has them now. */
  async endpoints(address: Ip, port: number): Promise<readonly Ip[]> {
    const answer = once(this.#child, "message");
    this.#child.send({ address, port } satisfies Question);
    const [endpoints] = (await answer) as [readonly Ip[]];
    return endpoints;
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
  }
}

/** Runs in the child until its parent lets go of it. */
export function serveReader(bpffs: string): void {
  batchOtherThreads(); // what reads must not hold up what is measured
  const maps = new PinnedMaps(pinsUnder(bpffs));
  process.on("message", ({ address, port }: Question) => {
    process.send?.(readEndpoints(maps, address, port));
  });
  process.send?.("ready");
}

class PinnedMaps {
  readonly frontends: BpfMap;
  readonly services: BpfMap;
  readonly members: BpfMap;
  readonly backends: BpfMap;

  constructor(pins: Pins) {
    const open = (name: string) => openPinnedMap(mapPin(pins, name));
    this.frontends = open("frontends");
    this.services = open("services");
    this.members = open("members");
    this.backends = open("backends");
  }
}

function readEndpoints(maps: PinnedMaps, address: Ip, port: number): readonly Ip[] {
  const key = encode(abi.frontendKey, { addr: ipToBytes(address), port, proto: TCP });
  const frontend = maps.frontends.lookup(key);
  if (!frontend) return [];
  const word = decode(abi.serviceWord, cell(maps.services, decode(abi.frontend, frontend).service));
  if (word.row === 0) return [];
  const { cluster } = decode(abi.blockHeader, cell(maps.members, word.row));
  return Array.from({ length: cluster.count }, (_, position) => {
    const row = word.row + cluster.firstRow + Math.floor(position / abi.Limits.IDS_PER_ROW);
    const ids = cell(maps.members, row);
    const id = new DataView(ids.buffer, ids.byteOffset).getUint32(
      4 * (position % abi.Limits.IDS_PER_ROW),
      HOST_LITTLE_ENDIAN,
    );
    return ipFromBytes(decode(abi.backend, cell(maps.backends, id)).addr);
  });
}

function cell(map: BpfMap, index: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, index, HOST_LITTLE_ENDIAN);
  const value = map.lookup(key);
  if (!value) throw new Error(`${map.name} has no cell ${index}`);
  return value;
}
