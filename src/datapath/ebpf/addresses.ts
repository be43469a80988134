// SPDX-License-Identifier: Apache-2.0
// The addresses map: the addresses of this node, and those of Services, whatever the port.

import type { BpfMap } from "../../libbpf/types.ts";
import { type Ip, ipFromBytes, ipToBytes } from "../../model/ip.ts";
import type { NodeAddress } from "../contract.ts";
import * as abi from "./abi.gen.ts";
import { decode } from "./codec.ts";
import { MapFullError } from "./errors.ts";

const { ADDRESS_NODE_PORT, ADDRESS_LOOPBACK, ADDRESS_NODE } = abi.AddressFlags;
const { ADDRESS_CLUSTER_IP, ADDRESS_EXTERNAL, ADDRESS_FOREIGN, ADDRESS_UNSURE } = abi.AddressFlags;
const { FRONTEND_CLUSTER_IP, FRONTEND_NODE_PORT } = abi.FrontendKind;
const OF_NODE = ADDRESS_NODE_PORT | ADDRESS_LOOPBACK | ADDRESS_NODE;
const LEFT_ALONE = ADDRESS_FOREIGN | ADDRESS_UNSURE;

/** Frontends at one address, in one number: those of a ClusterIP, and this many times the others. */
const OTHERS = 2 ** 24;

/** Address bytes as latin1. */
type AddressId = string;
/** With its flags. */
type Entry = readonly [AddressId, number];

export class AddressTable {
  readonly #map: BpfMap;
  /** Flags, as in the map. */
  readonly #written = new Map<AddressId, number>();
  readonly #ofNode = new Map<AddressId, number>();
  readonly #frontends = new Map<AddressId, number>();
  readonly #foreign = new Set<AddressId>();
  /** Of Services that are not wholly in the maps; as an earlier agent left them until setWaiting(). */
  #waiting = new Set<AddressId>();
  /** Any ClusterIP may have more ports than are known. */
  #doubted = false;
  /** Those whose flags may have changed since they were written. */
  readonly #touched = new Set<AddressId>();

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Entries the map holds. */
  get used(): number {
    return this.#written.size;
  }

  /** Entries the map can hold. */
  get size(): number {
    return this.#map.maxEntries;
  }

  adopt(): void {
    for (const [key, value] of this.#map.entries()) {
      const id = Buffer.from(key).toString("latin1");
      const { flags } = decode(abi.address, value);
      this.#written.set(id, flags);
      if (flags & ADDRESS_NODE) this.#ofNode.set(id, flags & OF_NODE);
      if (flags & ADDRESS_FOREIGN) this.#foreign.add(id);
      if (flags & ADDRESS_UNSURE) this.#waiting.add(id);
      this.#touched.add(id);
    }
  }

  /** Addresses that serve NodePorts, as the map says. */
  servingNodePorts(): readonly Ip[] {
    const serving = [...this.#written].filter(([, flags]) => (flags & ADDRESS_NODE_PORT) !== 0);
    return serving.map(([id]) => ipFromBytes(Buffer.from(id, "latin1")));
  }

  /** Counts the frontends at an address; kind is abi.FrontendKind, by 1 or -1. Written by the next flush(). */
  count(id: AddressId, kind: number, by: 1 | -1): void {
    if (kind === FRONTEND_NODE_PORT) return;
    const count = (this.#frontends.get(id) ?? 0) + by * (kind === FRONTEND_CLUSTER_IP ? 1 : OTHERS);
    if (count === 0) this.#frontends.delete(id);
    else this.#frontends.set(id, count);
    this.#touched.add(id);
  }

  /** The frontends are counted anew. */
  forgetFrontends(): void {
    for (const id of this.#frontends.keys()) this.#touched.add(id);
    this.#frontends.clear();
  }

  /** These are ClusterIPs of Services that are not served here. Written by the next flush(). */
  addForeign(addresses: Iterable<Ip>): void {
    for (const address of addresses) {
      const id = idOf(address);
      if (this.#foreign.has(id)) continue;
      this.#foreign.add(id);
      this.#touched.add(id);
    }
  }

  /** No others than these are. */
  keepForeign(addresses: ReadonlySet<Ip>): void {
    const kept = new Set(Array.from(addresses, idOf));
    for (const id of this.#foreign) {
      if (kept.has(id)) continue;
      this.#foreign.delete(id);
      this.#touched.add(id);
    }
  }

  /** Nothing is refused at these for now. Written by the next flush(). */
  setWaiting(addresses: Iterable<Ip>): void {
    const waiting = new Set(Array.from(addresses, idOf));
    for (const id of [...waiting, ...this.#waiting]) {
      if (waiting.has(id) !== this.#waiting.has(id)) this.#touched.add(id);
    }
    this.#waiting = waiting;
  }

  /** Nothing is refused at any ClusterIP while they are doubted. Written by the next flush(). */
  setDoubted(doubted: boolean): void {
    if (doubted === this.#doubted) return;
    this.#doubted = doubted;
    for (const id of this.#frontends.keys()) this.#touched.add(id);
  }

  /** What should be written and is not, after flush(). */
  get isBehind(): boolean {
    return this.#touched.size > 0;
  }

  /**
   * Makes these the addresses of the node. Where there is no room for them, some go that say only that another serves
   * there, and stay due; evicting() is called before: none may be nobody's without them. Throws MapFullError, if the
   * node's alone do not fit before any write.
   */
  replaceNode(addresses: readonly NodeAddress[], evicting: () => void): void {
    if (addresses.length > this.#map.maxEntries) throw this.#full();
    for (const id of this.#ofNode.keys()) this.#touched.add(id);
    this.#ofNode.clear();
    for (const { address, loopback, nodePort } of addresses) {
      const id = idOf(address);
      this.#ofNode.set(id, ADDRESS_NODE | (nodePort ? ADDRESS_NODE_PORT : 0) | (loopback ? ADDRESS_LOOPBACK : 0));
      this.#touched.add(id);
    }
    this.#makeRoom(evicting);
    this.#writeTouched();
    if ([...this.#touched].some((id) => this.#ofNode.has(id))) throw this.#full();
  }

  /** For what is new of the node. */
  #makeRoom(evicting: () => void): void {
    const missing = [...this.#ofNode.keys()].filter((id) => !this.#written.has(id)).length;
    const lacking = missing - (this.#map.maxEntries - this.#written.size);
    if (lacking <= 0) return;
    const others = [...this.#written].filter(([id, flags]) => (flags & ~LEFT_ALONE) === 0 && !this.#ofNode.has(id));
    const evicted = others.slice(0, lacking).map(([id]) => id);
    if (evicted.length === 0) return;
    evicting();
    this.#delete(evicted);
    for (const id of evicted) this.#touched.add(id);
  }

  /** Writes what has changed; what finds no room stays due. Throws MapFullError after what could be written. */
  flush(): void {
    this.#writeTouched();
    if (this.#touched.size > 0) throw this.#full();
  }

  /** New addresses first, then gone ones, and then what had to wait for their room; each time the node's first. */
  #writeTouched(): void {
    if (this.#touched.size === 0) return;
    const wanted = [...this.#touched].map((id) => [id, this.#flags(id)] as const);
    const changed = wanted.filter(([id, flags]) => flags !== 0 && flags !== this.#written.get(id));
    const ofNode = ([, flags]: Entry) => (flags & ADDRESS_NODE) !== 0;
    const left = this.#writeFitting([...changed.filter(ofNode), ...changed.filter((entry) => !ofNode(entry))]);
    this.#delete(wanted.filter(([id, flags]) => flags === 0 && this.#written.has(id)).map(([id]) => id));
    this.#touched.clear();
    for (const [id] of this.#writeFitting(left)) this.#touched.add(id);
  }

  /** Returns those that there is no room for. */
  #writeFitting(entries: readonly Entry[]): readonly Entry[] {
    let room = this.#map.maxEntries - this.#written.size;
    const fitting = entries.filter(([id]) => this.#written.has(id) || room-- > 0);
    this.#write(fitting);
    return entries.filter(([id, flags]) => flags !== this.#written.get(id));
  }

  #flags(id: AddressId): number {
    const count = this.#frontends.get(id) ?? 0;
    const served = (count % OTHERS > 0 ? ADDRESS_CLUSTER_IP : 0) | (count >= OTHERS ? ADDRESS_EXTERNAL : 0);
    const doubted = this.#doubted && (served & ADDRESS_CLUSTER_IP) !== 0;
    const unsure = this.#waiting.has(id) || doubted ? ADDRESS_UNSURE : 0;
    return (this.#ofNode.get(id) ?? 0) | served | (this.#foreign.has(id) ? ADDRESS_FOREIGN : 0) | unsure;
  }

  #write(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const values = Buffer.alloc(entries.length * abi.address.size);
    const view = new DataView(values.buffer, values.byteOffset, values.length);
    for (const [i, [, flags]] of entries.entries()) abi.address.write(view, i * abi.address.size, { flags });
    this.#map.updateBatch(packIds(entries.map(([id]) => id)), values, entries.length);
    for (const [id, flags] of entries) this.#written.set(id, flags);
  }

  #delete(ids: readonly AddressId[]): void {
    if (ids.length === 0) return;
    this.#map.deleteBatch(packIds(ids), ids.length);
    for (const id of ids) this.#written.delete(id);
  }

  /** The same words each time, to be told once. */
  #full(): MapFullError {
    return new MapFullError("addresses", this.#map.maxEntries, "every address of Services and of the node");
  }
}

function idOf(address: Ip): AddressId {
  return Buffer.from(ipToBytes(address)).toString("latin1");
}

function packIds(ids: readonly AddressId[]): Buffer {
  return Buffer.from(ids.join(""), "latin1");
}
