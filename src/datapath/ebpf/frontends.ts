// SPDX-License-Identifier: Apache-2.0
// The frontends map: (address, port, protocol) → service id and kind, in batches, new ones before old ones go.

import type { CompiledService, Frontend } from "../../compile/state.ts";
import type { BpfMap } from "../../libbpf/types.ts";
import { type Family, type Ip, ipToBytes } from "../../model/ip.ts";
import type { ApplyReport } from "../contract.ts";
import * as abi from "./abi.gen.ts";
import type { AddressTable } from "./addresses.ts";
import { FRONTEND_KINDS, protocolNumber } from "./service-plan.ts";

/** NodePorts stand under the wildcard address of their family. */
const WILDCARD: Readonly<Record<Family, Ip>> = { 4: "0.0.0.0" as Ip, 6: "::" as Ip };

/** A map key's 20 bytes as latin1. */
export type FrontendId = string;

const scratch = Buffer.alloc(abi.frontendKey.size);
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
const scratchAddress = new Uint8Array(16);

export function frontendId(frontend: Frontend, family: Family, proto: number): FrontendId {
  const addr = ipToBytes(frontend.address ?? WILDCARD[family], scratchAddress);
  abi.frontendKey.write(scratchView, 0, { addr, port: frontend.port, proto });
  return scratch.toString("latin1");
}

/** A frontend as some service wants it. */
export interface FrontendEntry {
  readonly id: FrontendId;
  readonly service: number;
  /** abi.FrontendKind */
  readonly kind: number;
  /** abi.FrontendFlags */
  readonly flags: number;
}

/** All of an entry but its id as one number. */
function packed({ service, kind, flags }: Omit<FrontendEntry, "id">): number {
  return service * 256 + flags * 16 + kind;
}

/** A service's frontends; one that stands twice (an externalIP that is also the VIP) counts once, as the first. */
export function frontendEntries(service: CompiledService, id: number): readonly FrontendEntry[] {
  const proto = protocolNumber(service.protocol);
  const entries = new Map<FrontendId, FrontendEntry>();
  for (const frontend of service.frontends) {
    const key = frontendId(frontend, service.family, proto);
    const flags = frontend.onNode ? abi.FrontendFlags.FRONTEND_ON_NODE : 0;
    if (!entries.has(key)) entries.set(key, { id: key, service: id, kind: FRONTEND_KINDS[frontend.kind], flags });
  }
  return [...entries.values()];
}

/** What a change did to the map. */
export type Moved = Pick<ApplyReport, "frontendsWritten" | "frontendsRemoved">;

export const NOTHING_MOVED: Moved = { frontendsWritten: 0, frontendsRemoved: 0 };

export class FrontendTable {
  readonly #map: BpfMap;
  readonly #addresses: AddressTable;
  /** What the map holds, packed(). */
  readonly #entries = new Map<FrontendId, number>();

  /** addresses is told what is written and removed; flushing it is the caller's. */
  constructor(map: BpfMap, addresses: AddressTable) {
    this.#map = map;
    this.#addresses = addresses;
  }

  /** The service a frontend belongs to, undefined when it is not in the map. */
  owner(id: FrontendId): number | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : Math.floor(entry / 256);
  }

  /** Reads the map as an earlier agent, or a call that failed, left it. */
  adopt(): readonly FrontendEntry[] {
    const found: FrontendEntry[] = [];
    this.#entries.clear();
    this.#addresses.forgetFrontends();
    for (const [key, value] of this.#map.entries()) {
      const { service, kind, flags } = abi.frontend.read(viewOf(value), 0);
      const id = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
      const entry = { id, service, kind, flags };
      this.#set(entry);
      found.push(entry);
    }
    return found;
  }

  /** Entries the map holds. */
  get used(): number {
    return this.#entries.size;
  }

  /** Entries the map can hold. */
  get size(): number {
    return this.#map.maxEntries;
  }

  /** Whether all of them fit beside what is there. */
  hasRoom(entries: readonly FrontendEntry[]): boolean {
    return this.#entries.size + entries.filter(({ id }) => !this.#entries.has(id)).length <= this.size;
  }

  /** Those of the wanted that the map does not hold yet. */
  missing(wanted: readonly FrontendEntry[]): readonly FrontendEntry[] {
    return wanted.filter((entry) => this.#entries.get(entry.id) !== packed(entry));
  }

  /** Nothing is to be done: a service that had these before wants the same, and the map holds them. */
  inForce(before: readonly FrontendEntry[], wanted: readonly FrontendEntry[]): boolean {
    const same = before.length === wanted.length && without(wanted, before).length === 0;
    return same && this.missing(wanted).length === 0;
  }

  /** What the map holds, read anew, that is not of the service it is wanted for. */
  besides(wanted: readonly FrontendEntry[]): readonly FrontendEntry[] {
    const owners = new Map(wanted.map(({ id, service }) => [id, service]));
    return this.adopt().filter(({ id, service }) => owners.get(id) !== service);
  }

  /**
   * New and moved frontends first, then those nobody has any more; the other way round only when the map is full. left:
   * services some of whose frontends found no room.
   */
  move(wanted: readonly FrontendEntry[], stale: readonly FrontendEntry[]): Moved & { left: ReadonlySet<number> } {
    const missing = this.missing(wanted);
    let frontendsRemoved = this.hasRoom(missing) ? 0 : this.remove(stale, missing);
    const unwritten = this.write(missing);
    const left = new Set(unwritten.map((entry) => entry.service));
    frontendsRemoved += this.remove(stale);
    return { frontendsWritten: missing.length - unwritten.length, frontendsRemoved, left };
  }

  /** Writes as many entries as fit, taking them from other services if need be; returns those that did not fit. */
  write(entries: readonly FrontendEntry[]): readonly FrontendEntry[] {
    const fitting = this.#fitting(entries);
    if (fitting.length > 0) {
      const values = Buffer.alloc(fitting.length * abi.frontend.size);
      const view = viewOf(values);
      for (const [i, { service, kind, flags }] of fitting.entries()) {
        abi.frontend.write(view, i * abi.frontend.size, { service, kind, flags });
      }
      this.#map.updateBatch(packIds(fitting), values, fitting.length);
    }
    for (const entry of fitting) this.#set(entry);
    if (fitting === entries) return [];
    const written = new Set(fitting);
    return entries.filter((entry) => !written.has(entry));
  }

  /** Deletes those that still belong to the service they are listed with, but for those in except; returns how many. */
  remove(entries: readonly FrontendEntry[], except: readonly FrontendEntry[] = []): number {
    const kept = new Set(except.map(({ id }) => id));
    const gone = entries.filter(({ id, service }) => this.owner(id) === service && !kept.has(id));
    if (gone.length === 0) return 0;
    this.#map.deleteBatch(packIds(gone), gone.length);
    for (const { id } of gone) this.#unset(id);
    return gone.length;
  }

  #set(entry: FrontendEntry): void {
    this.#unset(entry.id);
    this.#entries.set(entry.id, packed(entry));
    this.#addresses.count(addressOf(entry.id), entry.kind, 1);
  }

  #unset(id: FrontendId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#addresses.count(addressOf(id), entry % 16, -1);
  }

  #fitting(entries: readonly FrontendEntry[]): readonly FrontendEntry[] {
    if (this.hasRoom(entries)) return entries;
    let room = this.size - this.#entries.size;
    return entries.filter(({ id }) => this.#entries.has(id) || room-- > 0);
  }
}

/** Those that are not among the others, whosever they are. */
export function without(entries: readonly FrontendEntry[], others: readonly FrontendEntry[]): readonly FrontendEntry[] {
  const ids = new Set(others.map((entry) => entry.id));
  return entries.filter((entry) => !ids.has(entry.id));
}

function addressOf(id: FrontendId): string {
  return id.slice(abi.frontendKeyOffset.addr, abi.frontendKeyOffset.addr + abi.ipAddr.size);
}

/** Keys back to back, for one batch. */
function packIds(entries: readonly FrontendEntry[]): Buffer {
  const keys = Buffer.alloc(entries.length * abi.frontendKey.size);
  for (const [i, { id }] of entries.entries()) keys.write(id, i * abi.frontendKey.size, "latin1");
  return keys;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
