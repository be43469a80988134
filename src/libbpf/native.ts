// SPDX-License-Identifier: Apache-2.0
// What the addon exports, and how it is found. Loaded at first use, so that rooms which only need types or the fake
// work without it. Nothing outside src/libbpf sees these types.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { errorFromNative } from "./errors.ts";
import type { AddressInfo, BtfType, KernelLack, LinkInfo, NetlinkEvent, RouteInfo } from "./types.ts";

export interface NativeMapInfo {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  /** Bytes of a value as it is read and written: of all CPUs for a per-CPU map. */
  readonly userValueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly id: number;
  readonly fd: number;
}

export interface NativeChunk {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
  /** undefined: the walk is over */
  readonly cursor: Uint8Array | undefined;
}

export interface NativeMap {
  info(): NativeMapInfo;
  /** Writes into value when found. */
  lookup(key: Uint8Array, value: Uint8Array): boolean;
  update(key: Uint8Array, value: Uint8Array, flags: number): void;
  delete(key: Uint8Array): boolean;
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number;
  deleteBatch(keys: Uint8Array, count: number): number;
  readChunk(cursor: Uint8Array | undefined, limit: number): NativeChunk;
  mmap(cells: number | undefined): ArrayBuffer;
  unmap(memory: ArrayBuffer): void;
  pin(path: string): void;
  close(): void;
}

export interface NativeLink {
  info(): { readonly id: number; readonly fd: number; readonly programId: number };
  update(program: NativeProgram): void;
  pin(path: string): void;
  detach(): void;
  close(): void;
}

export interface NativeProgram {
  info(): { readonly name: string; readonly id: number; readonly fd: number };
  testRun(
    data: Uint8Array | undefined,
    ctx: Uint8Array | undefined,
    repeat: number,
    dataOutSize: number | undefined,
  ): { retval: number; dataOut: Uint8Array; ctxOut: Uint8Array; durationNs: number };
  attachTcx(ifindex: number, direction: string, first: boolean): NativeLink;
  attachTc(ifindex: number, direction: string, priority: number): void;
  attachXdp(ifindex: number): NativeLink;
  attachCgroup(cgroupPath: string, type: string): NativeLink;
  iterate(netnsPath: string | undefined, destroy: boolean): Promise<Uint8Array>;
  pin(path: string): void;
  close(): void;
}

export interface NativeLoaded {
  readonly maps: Readonly<Record<string, NativeMap>>;
  readonly programs: Readonly<Record<string, NativeProgram>>;
}

export interface NativeObject {
  mapNames(): string[];
  programNames(): string[];
  setRodata(variable: string, bytes: Uint8Array): void;
  setMaxEntries(map: string, maxEntries: number): void;
  setPinPath(map: string, path: string): void;
  reuseMap(map: string, from: NativeMap): void;
  setAutoload(program: string, autoload: boolean): void;
  load(): NativeLoaded;
  loadAside(): Promise<NativeLoaded>;
  close(): void;
}

export interface NativeNetlink {
  dump(kind: "link"): LinkInfo[];
  dump(kind: "address"): AddressInfo[];
  dump(kind: "route"): RouteInfo[];
  watch(onEvent: (event: NetlinkEvent) => void, receiveBuffer: number): void;
  close(): void;
}

export interface Addon {
  readonly libbpfVersion: string;
  readonly Netlink: new () => NativeNetlink;
  readonly possibleCpus: number;
  setErrorFactory(factory: typeof errorFromNative): void;
  openObject(path: string): NativeObject;
  openPinnedMap(path: string): NativeMap;
  openPinnedProgram(path: string): NativeProgram;
  openPinnedLink(path: string): NativeLink;
  createMap(
    name: string,
    type: number,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
    inner: NativeMap | undefined,
  ): NativeMap;
  rcuSync(): Promise<void>;
  probe(name: string): { readonly supported: boolean; readonly errno: number; readonly detail: string };
  objectLacks(path: string): KernelLack[];
  readBtf(path: string): BtfType[];
  lockDirectory(path: string): () => void;
  batchOtherThreads(): void;
  netnsCookie(path: string | undefined): bigint;
  connectPrograms(cgroup: string): string[];
  tcPrograms(): string[];
  detachTc(ifindex: number, direction: string, priority: number, program: string): boolean;
}

/** The addon could not be loaded; the message lists each place that was tried and why it failed. */
export class AddonError extends Error {
  readonly code = "ADDON_NOT_LOADED";
  override readonly name = "AddonError";
}

let loaded: Addon | undefined;

/** Loads on the first call. Throws AddonError. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const require = createRequire(import.meta.url);
  const override = process.env.PORTOLAN_ADDON;
  const tried: string[] = [];
  for (const path of override === undefined ? candidates() : [override]) {
    try {
      const found = require(path) as Addon;
      found.setErrorFactory(errorFromNative);
      return found;
    } catch (error) {
      tried.push(`  ${path}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  }
  const advice = override === undefined ? "build it with npm run build" : "PORTOLAN_ADDON names its file";
  throw new AddonError(`cannot load the native addon; ${advice}; tried\n${tried.join("\n")}`);
}

/** Beside the bundle, from dist/portolan.js, from src/libbpf/native.ts. */
function candidates(): readonly string[] {
  const places = ["./portolan.node", "../build/Release/portolan.node", "../../build/Release/portolan.node"];
  return places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
}
