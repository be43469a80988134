// SPDX-License-Identifier: Apache-2.0
// Backend cells. A cell never changes while it is live: the 32 bytes are its identity, so an endpoint that turns
// terminating, or has another weight in another service, is another cell. Shared by blocks, with a count.

import type { CompiledService, Member } from "../../compile/state.ts";
import { ipFromBytes, ipToBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { CellIndex } from "./cell-index.ts";
import { HOST_LITTLE_ENDIAN } from "./codec.ts";
import { MapFullError } from "./errors.ts";
import { IdPool } from "./id-pool.ts";
import type { MaglevMember } from "./maglev.ts";
import type { MappedArray } from "./mapped-array.ts";
import type { NameTable } from "./names.ts";
import type { Reclaimer } from "./reclaim.ts";
import type { StatsReset } from "./stats.ts";

/** Address, port and protocol stand first in struct backend. */
const IDENTITY_SIZE = abi.backendOffset.proto + 1;
const { BACKEND_LIVE, BACKEND_LOCAL, BACKEND_TERMINATING } = abi.BackendFlags;

export type MemberSets = Pick<CompiledService, "cluster" | "local" | "serving">;

export type IdSets = { readonly [set in keyof MemberSets]: readonly number[] };

const SETS = ["cluster", "local", "serving"] as const;

/** Of all sets; an id in two of them comes twice. */
export function idsOf({ cluster, local, serving }: IdSets): readonly number[] {
  return [...cluster, ...local, ...serving];
}

export class BackendTable {
  readonly pool: IdPool;
  /** Cells written so far by this process, for changes that came to be published. */
  written = 0;
  readonly #cells: MappedArray;
  readonly #names: NameTable;
  readonly #reclaimer: Reclaimer;
  readonly #stats: StatsReset;
  /** Of the cells that can be found: those with a reference. */
  readonly #index: CellIndex;
  readonly #references: Uint32Array;
  /** The cell that #encode() makes. */
  readonly #scratch = new DataView(new ArrayBuffer(abi.backend.size));
  readonly #scratchWords = new Int32Array(this.#scratch.buffer);
  readonly #scratchAddress = new Uint8Array(16);

  constructor(cells: MappedArray, names: NameTable, reclaimer: Reclaimer, stats: StatsReset) {
    this.#cells = cells;
    this.#names = names;
    this.#reclaimer = reclaimer;
    this.#stats = stats;
    this.pool = new IdPool(cells.length);
    this.#index = new CellIndex(cells);
    this.#references = new Uint32Array(cells.length);
  }

  /** The id of a live cell that says exactly this, undefined when there is none. */
  find(member: Member, proto: number): number | undefined {
    const node = this.#names.find(member.nodeName);
    const zone = this.#names.find(member.zone);
    if (node === undefined || zone === undefined) return undefined;
    this.#encode(member, proto, node, zone);
    return this.#index.find(this.#scratchWords);
  }

  /** The id of a cell that says exactly this, written first if need be; release() it as often. Throws MapFullError. */
  acquire(member: Member, proto: number): number {
    const node = this.#names.acquire(member.nodeName);
    const zone = this.#acquireZone(member, node);
    this.#encode(member, proto, node, zone);
    const known = this.#index.find(this.#scratchWords);
    const id = known ?? this.#write();
    if (id === known || id === undefined) {
      this.#names.release(node);
      this.#names.release(zone);
    }
    if (id === undefined) {
      const needed = `endpoint ${member.address} port ${member.port}`;
      throw new MapFullError("backends", this.#cells.length, needed);
    }
    this.retain(id);
    return id;
  }

  retain(id: number): void {
    this.#references[id] = (this.#references[id] ?? 0) + 1;
  }

  /** With the last reference the id cannot be found any more, and becomes free after an RCU period. */
  release(id: number): void {
    if (this.#drop(id)) this.#reclaimer.retire(() => this.reclaim(id));
  }

  /** Like release(), for a reference that was never published: with the last one the cell is free at once. */
  discard(id: number): void {
    if (!this.#drop(id)) return;
    this.reclaim(id);
    this.written--;
  }

  /** Clears a cell nothing refers to. */
  reclaim(id: number): void {
    this.#cells.clear(id);
    this.#stats.add(id);
    this.pool.release(id);
  }

  /** Ids of all sets, as far as there are cells that say what the members say; 0 for the others. */
  findSets(service: MemberSets, proto: number): IdSets {
    const find = (member: Member) => this.find(member, proto) ?? 0;
    return {
      cluster: service.cluster.map(find),
      local: service.local.map(find),
      serving: service.serving.map(find),
    };
  }

  /**
   * Ids of all sets with a reference for each. known: what findSets() says of the same. Throws MapFullError, then nothing
   * is taken.
   */
  acquireSets(service: MemberSets, proto: number, known?: IdSets): IdSets {
    const taken = { cluster: [] as number[], local: [] as number[], serving: [] as number[] };
    try {
      for (const set of SETS) {
        for (const [i, member] of service[set].entries()) taken[set].push(this.#take(member, proto, known?.[set][i]));
      }
    } catch (error) {
      for (const id of idsOf(taken)) this.discard(id);
      throw error;
    }
    return taken;
  }

  /** known: the id of the member's cell if there is one. */
  #take(member: Member, proto: number, known = 0): number {
    if (known === 0) return this.acquire(member, proto);
    this.retain(known);
    return known;
  }

  /** Takes one reference away; true when it was the last, and then the names it held are free. */
  #drop(id: number): boolean {
    const left = (this.#references[id] ?? 0) - 1;
    this.#references[id] = left;
    if (left > 0) return false;
    const { node, zone } = this.read(id);
    this.#index.remove(id);
    this.#names.release(node);
    this.#names.release(zone);
    return true;
  }

  /**
   * Whether a service lost an endpoint, an address and port, when these sets came to be in force in place of others
   * that were until now. True without such: an earlier service of the same addresses may have had any.
   */
  anyGone(before: IdSets | undefined, now: IdSets): boolean {
    if (before === undefined) return true;
    const ids = new Set(idsOf(now));
    const left = idsOf(before).filter((id) => !ids.has(id));
    if (left.length === 0) return false;
    const places = new Set([...ids].map((id) => this.#place(id)));
    return left.some((id) => !places.has(this.#place(id)));
  }

  #place(id: number): string {
    const offset = this.#cells.offset(id);
    return this.#cells.bytes.toString("hex", offset, offset + IDENTITY_SIZE);
  }

  /** The endpoint that a cell stands for. */
  member(id: number): Member {
    const { addr, port, flags, weight, node, zone } = this.read(id);
    return {
      address: ipFromBytes(addr),
      port,
      nodeName: this.#names.text(node) || undefined,
      zone: this.#names.text(zone) || undefined,
      local: (flags & BACKEND_LOCAL) !== 0,
      terminating: (flags & BACKEND_TERMINATING) !== 0,
      weight,
    };
  }

  read(id: number): abi.Backend {
    return abi.backend.read(this.#cells.view, this.#cells.offset(id));
  }

  /** What the lookup tables are computed from; identity is a view of the cell. */
  maglevMember(id: number): MaglevMember {
    const offset = this.#cells.offset(id);
    return {
      identity: this.#cells.bytes.subarray(offset, offset + IDENTITY_SIZE),
      weight: this.#cells.view.getUint16(offset + abi.backendOffset.weight, HOST_LITTLE_ENDIAN),
    };
  }

  /** Takes over a cell an earlier agent wrote. Each call is a reference. False when the cell cannot be right. */
  adopt(id: number): boolean {
    if (id < 1 || id >= this.#cells.length) return false;
    if (this.pool.isFree(id) && !this.#adoptCell(id)) return false;
    this.retain(id);
    return true;
  }

  #adoptCell(id: number): boolean {
    const cell = this.read(id);
    if ((cell.flags & BACKEND_LIVE) === 0 || cell.port === 0) return false;
    if (!this.#names.adopt(cell.node)) return false;
    if (!this.#names.adopt(cell.zone)) {
      this.#names.release(cell.node);
      return false;
    }
    this.pool.reserve(id);
    this.#index.add(id);
    return true;
  }

  /** Writes the cell that #encode() left in scratch; undefined when all ids are taken. */
  #write(): number | undefined {
    const id = this.pool.take();
    if (id === undefined) return undefined;
    this.#cells.reach(id + 1);
    this.#cells.halfWords.set(this.#scratchWords, this.#cells.offset(id) / 4);
    this.#cells.written(id);
    this.#index.add(id);
    this.written++;
    return id;
  }

  #acquireZone(member: Member, node: number): number {
    try {
      return this.#names.acquire(member.zone);
    } catch (error) {
      this.#names.release(node);
      throw error;
    }
  }

  #encode(member: Member, proto: number, node: number, zone: number): void {
    const flags = BACKEND_LIVE | (member.local ? BACKEND_LOCAL : 0) | (member.terminating ? BACKEND_TERMINATING : 0);
    const addr = ipToBytes(member.address, this.#scratchAddress);
    const { port, weight } = member;
    abi.backend.write(this.#scratch, 0, { addr, port, proto, flags, weight, node, zone });
  }
}
