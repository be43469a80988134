// SPDX-License-Identifier: Apache-2.0
// ELF objects: open, prepare, load. Loading frees the ELF and leaves handles of maps and programs.

import { BpfError } from "./errors.ts";
import { handleOf, KernelMap } from "./map.ts";
import { addon, type NativeLoaded, type NativeObject } from "./native.ts";
import { KernelProgram } from "./program.ts";
import type { BpfMap, BpfProgram, LoadedBpfObject, OpenBpfObject } from "./types.ts";

class LoadedObject implements LoadedBpfObject {
  readonly #path: string;
  readonly #maps: ReadonlyMap<string, KernelMap>;
  readonly #programs: ReadonlyMap<string, KernelProgram>;

  constructor(path: string, loaded: NativeLoaded) {
    this.#path = path;
    this.#maps = new Map(Object.entries(loaded.maps).map(([name, map]) => [name, new KernelMap(map)]));
    this.#programs = new Map(Object.entries(loaded.programs).map(([name, prog]) => [name, new KernelProgram(prog)]));
  }

  map(name: string): BpfMap {
    return this.#maps.get(name) ?? this.#missing("map", name, this.#maps);
  }

  program(name: string): BpfProgram {
    return this.#programs.get(name) ?? this.#missing("program", name, this.#programs);
  }

  #missing(what: string, name: string, there: ReadonlyMap<string, unknown>): never {
    const hint = `no such ${what} was loaded from ${this.#path}; there are ${[...there.keys()].join(", ")}`;
    throw new BpfError({ syscall: what, errno: -2, object: name, hint });
  }

  [Symbol.dispose](): void {
    for (const handle of [...this.#maps.values(), ...this.#programs.values()]) handle[Symbol.dispose]();
  }
}

class OpenObject implements OpenBpfObject {
  readonly #path: string;
  readonly #handle: NativeObject;
  readonly mapNames: readonly string[];
  readonly programNames: readonly string[];

  constructor(path: string) {
    this.#path = path;
    this.#handle = addon().openObject(path);
    this.mapNames = this.#handle.mapNames();
    this.programNames = this.#handle.programNames();
  }

  setRodata(variable: string, bytes: Uint8Array): void {
    this.#handle.setRodata(variable, bytes);
  }

  setMaxEntries(map: string, maxEntries: number): void {
    this.#handle.setMaxEntries(map, maxEntries);
  }

  setPinPath(map: string, path: string): void {
    this.#handle.setPinPath(map, path);
  }

  reuseMap(map: string, from: BpfMap): void {
    this.#handle.reuseMap(map, handleOf(from));
  }

  setAutoload(program: string, autoload: boolean): void {
    this.#handle.setAutoload(program, autoload);
  }

  load(): LoadedBpfObject {
    return new LoadedObject(this.#path, this.#handle.load());
  }

  async loadAside(): Promise<LoadedBpfObject> {
    return new LoadedObject(this.#path, await this.#handle.loadAside());
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}

/** Opens an ELF object built for the bpf target. Section maps are called ".rodata", ".bss" and so on. */
export function openObject(path: string): OpenBpfObject {
  return new OpenObject(path);
}
