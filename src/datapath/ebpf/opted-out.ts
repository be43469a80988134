// SPDX-License-Identifier: Apache-2.0
// The map of pods whose sockets are not balanced: their cgroups, or where cgroup2 does not tell pods apart their network
// namespaces. A hook asks only for levels that the cell beside it names.

import type { BpfMap } from "../../libbpf/types.ts";
import { familyOf, type Ip, ipToBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";

const CELL = new Uint8Array(4);
const DATAGRAMS = 1n << BigInt(abi.OptOutLevel.OPT_OUT_DATAGRAMS);
const SOCKETS = 1n << BigInt(abi.OptOutLevel.OPT_OUT_SOCKETS);
const NO_ADDRESS = new Uint8Array(16);

/** Levels of cgroups that a hook can be told to ask for: 1 to this. */
export const DEEPEST_LEVEL: number = abi.OptOutLevel.OPT_OUT_LEVELS - 1;

/** level 0: id is the cookie of a network namespace; else the inode number of a cgroup so far below the root. */
export type OptOutKey = abi.OptOutKey;

export interface OptedOutPod {
  readonly namespace: string;
  readonly name: string;
  /** At most one of a family. */
  readonly addresses: readonly Ip[];
}

export class OptedOutTable {
  readonly #map: BpfMap;
  readonly #levels: BpfMap;
  /** `namespace/name` → its keys → its value, all bytes as latin1 */
  readonly #pods = new Map<string, Map<string, string>>();
  /** How many keys there are of each level. */
  readonly #used: number[] = Array<number>(abi.OptOutLevel.OPT_OUT_LEVELS).fill(0);
  #datagramsOnWire = false;
  #socketsOnWire = false;

  constructor(map: BpfMap, levels: BpfMap) {
    this.#map = map;
    this.#levels = levels;
  }

  /** Takes over what an earlier agent left. */
  adopt(): void {
    for (const [key, value] of this.#map.entries()) {
      const { namespace, pod } = decode(abi.optOut, value);
      this.#keysOf(`${namespace}/${pod}`).set(latin1(key), latin1(value));
      this.#count(latin1(key), 1);
    }
    const { bits } = decode(abi.optOutLevels, this.#levels.lookup(CELL) ?? new Uint8Array(abi.optOutLevels.size));
    this.#datagramsOnWire = (bits & DATAGRAMS) !== 0n;
    this.#socketsOnWire = (bits & SOCKETS) !== 0n;
  }

  /** Datagrams of all pods' unconnected sockets go by the wire. */
  get datagramsOnWire(): boolean {
    return this.#datagramsOnWire;
  }

  set datagramsOnWire(onWire: boolean) {
    this.#datagramsOnWire = onWire;
    this.#publishLevels();
  }

  /** All pods' sockets are left to the wire. */
  set socketsOnWire(onWire: boolean) {
    this.#socketsOnWire = onWire;
    this.#publishLevels();
  }

  /** Names in the map, each `namespace/name`. */
  get pods(): readonly string[] {
    return [...this.#pods.keys()];
  }

  /** The pod is opted out by exactly these keys; none: it is not. Writes what differs. Throws BpfError, E2BIG when full. */
  set(pod: OptedOutPod, keys: readonly OptOutKey[]): void {
    const name = `${pod.namespace}/${pod.name}`;
    const held = this.#keysOf(name);
    const value = latin1(encodePod(pod));
    const wanted = new Set(keys.map((key) => latin1(encode(abi.optOutKey, key))));
    for (const key of wanted) if (held.get(key) !== value) this.#put(held, key, value);
    for (const key of [...held.keys()]) {
      if (wanted.has(key)) continue;
      this.#map.delete(bytes(key));
      held.delete(key);
      this.#count(key, -1);
    }
    if (held.size === 0) this.#pods.delete(name);
    this.#publishLevels();
  }

  /** Its level is asked for before it is there; if it finds no room, no more than before. */
  #put(held: Map<string, string>, key: string, value: string): void {
    const more = held.has(key) ? 0 : 1;
    this.#count(key, more);
    try {
      this.#publishLevels();
      this.#map.update(bytes(key), bytes(value));
    } catch (error) {
      this.#count(key, -more);
      throw error;
    }
    held.set(key, value);
  }

  #keysOf(pod: string): Map<string, string> {
    const keys = this.#pods.get(pod) ?? new Map<string, string>();
    this.#pods.set(pod, keys);
    return keys;
  }

  #count(key: string, by: number): void {
    const { level } = decode(abi.optOutKey, bytes(key));
    this.#used[level] = (this.#used[level] ?? 0) + by;
  }

  #publishLevels(): void {
    const levels = this.#used.reduce((sum, count, level) => (count > 0 ? sum | (1n << BigInt(level)) : sum), 0n);
    const bits = levels | (this.#datagramsOnWire ? DATAGRAMS : 0n) | (this.#socketsOnWire ? SOCKETS : 0n);
    const cell = encode(abi.optOutLevels, { bits });
    if (latin1(this.#levels.lookup(CELL) ?? new Uint8Array()) !== latin1(cell)) this.#levels.update(CELL, cell);
  }
}

function encodePod({ namespace, name, addresses }: OptedOutPod): Uint8Array {
  const of = (family: 4 | 6): Uint8Array => {
    const address = addresses.find((one) => familyOf(one) === family);
    return address === undefined ? NO_ADDRESS : ipToBytes(address);
  };
  return encode(abi.optOut, { namespace, pod: name, addr4: of(4), addr6: of(6) });
}

function latin1(data: Uint8Array): string {
  return Buffer.from(data).toString("latin1");
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
