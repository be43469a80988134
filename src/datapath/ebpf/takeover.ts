// SPDX-License-Identifier: Apache-2.0
// Taking over from an agent of another layout, newer or older, without losing a packet. What lies as it did is shared: a
// map may be pinned in two places. Flows that lie otherwise are moved, by programs of our own (bpf/before.bpf.h) that
// hang on the hooks until that is done. Whoever is killed on the way leaves a node that serves, and the next agent goes on from there.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createMap, openPinnedMap, openPinnedProgram, rcuSync } from "../../libbpf/index.ts";
import type { BpfMap, BpfProgram, OpenBpfObject } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import type { DeviceHooks } from "./attach.ts";
import { decode, encode } from "./codec.ts";
import { LayoutError } from "./errors.ts";
import { type FlowPlaces, flowPlaces, recordedLayout } from "./layout-record.ts";
import { type LayoutPins, layoutPins, layoutsUnder, mapPin, type Pins, programPin } from "./pins.ts";
import type { Programs } from "./programs.ts";
import { u16, u32 } from "./rodata.ts";

const BPF_MAP_TYPE_ARRAY = 2;
const CELL = new Uint8Array(4);
const OWN = abi.PortolanAbi.ABI_VERSION;

/** Counted by the programs, a cell for each reason that their version knows: begins anew with each layout. */
const NEVER_SHARED: ReadonlySet<string> = new Set(["drops"]);
const FLOW_TABLES = ["flows", "nascent"] as const;
const NOWHERE = 0xffff;

/** Names of pins, and of the map the programs tail-call by. */
const BEFORE_PROGRAMS = "programs_before";
const MIGRATE = "migrate";
const PROGRAMS = [
  ["ingress", abi.BeforeProgram.BEFORE_INGRESS],
  ["egress", abi.BeforeProgram.BEFORE_EGRESS],
] as const;

/** The tc programs. */
export interface TcPrograms {
  readonly ingress: BpfProgram;
  readonly egress: BpfProgram;
}

/** The other layout that serves this node, or whose flows are not all ours yet. */
export class Predecessor {
  readonly #pins: Pins;
  readonly #theirs: LayoutPins;
  readonly #generation: number;
  /** Our programs serve already: an agent of ours was killed after that. */
  readonly #resumes: boolean;
  /** Where our flows' fields stand in their tables; undefined: where ours do, and the tables are shared. */
  readonly #places: FlowPlaces | undefined;

  private constructor(pins: Pins, theirs: LayoutPins, generation: number, resumes: boolean) {
    this.#pins = pins;
    this.#resumes = resumes;
    this.#theirs = theirs;
    this.#generation = generation;
    this.#places = flowPlaces(recordedLayout(theirs));
  }

  /** undefined where our own layout serves, or none. Throws LayoutError when what serves cannot be taken over; it goes on. */
  static find(pins: Pins): Predecessor | undefined {
    if (!existsSync(pins.serving)) return undefined;
    const { version, from, generation } = readServing(pins);
    if (version === OWN && from === 0) return undefined;
    const other = version === OWN ? from : version;
    const theirs = layoutPins(pins.root, other);
    try {
      if (version === OWN) return new Predecessor(pins, theirs, generation, true);
      if (from !== 0) {
        finishFor(theirs, from);
        writeServing(pins, { generation, version, from: 0 });
      }
      return new Predecessor(pins, theirs, generation + 1, false);
    } catch (cause) {
      if (!(cause instanceof LayoutError)) throw cause;
      const way = "`portolan cleanup` makes room, and ends connections through Services on the wire";
      throw new LayoutError(`layout v${other} serves this node, and this is v${OWN}: ${cause.message}. ${way}`, {
        cause,
      });
    }
  }

  /** ABI_VERSION of the other layout. */
  get number(): number {
    return this.#theirs.number;
  }

  /** Their flows lie otherwise than ours: only Movers can take over. */
  get flowsMove(): boolean {
    return this.#places !== undefined;
  }

  /** Pins their maps as ours too, where they lie as ours do. known: the maps of our programs. */
  share(known: ReadonlySet<string>): void {
    mkdirSync(this.#pins.maps, { recursive: true });
    const moved: ReadonlySet<string> = new Set(this.#places ? FLOW_TABLES : []);
    // Of an agent of ours that served before theirs: what is still true of it they have brought to their own.
    if (!this.#resumes) for (const name of moved) rmSync(mapPin(this.#pins, name), { force: true });
    for (const name of namesIn(this.#theirs.maps)) {
      const pin = mapPin(this.#pins, name);
      if (!known.has(name) || moved.has(name) || NEVER_SHARED.has(name) || existsSync(pin)) continue;
      using map = openPinnedMap(mapPin(this.#theirs, name));
      map.pin(pin);
    }
  }

  /** max_entries for a table of ours: what theirs holds must find room. */
  sizeFor(table: string, wanted: number): number {
    const pin = mapPin(this.#theirs, table);
    if (!this.#places || !existsSync(pin)) return wanted;
    using map = openPinnedMap(pin);
    return Math.max(wanted, map.maxEntries);
  }

  /** Before the load of an object that is to move flows: gives it their tables. */
  prepare(object: OpenBpfObject): void {
    object.setPinPath("serving", this.#pins.serving);
    // Pinned, or it would be emptied with the last handle, while programs still go by it.
    object.setPinPath(BEFORE_PROGRAMS, mapPin(this.#pins, BEFORE_PROGRAMS));
    for (const table of FLOW_TABLES) {
      using map = openPinnedMap(mapPin(this.#theirs, table));
      object.reuseMap(`${table}_before`, map);
    }
    object.setRodata("takes_over", u32(1));
    object.setRodata("generation", u32(this.#generation));
    for (const [field, offset] of Object.entries(this.#places ?? {}))
      object.setRodata(`before_${field}`, u16(offset ?? NOWHERE));
  }

  /** Names the programs that go on serving until serve(). */
  handOnTo(programsBefore: BpfMap): void {
    for (const [name, cell] of PROGRAMS) {
      const pin = programPin(this.#theirs, name);
      if (!existsSync(pin)) continue; // taken over already, but for some flows
      using program = openPinnedProgram(pin);
      programsBefore.update(u32(cell), u32(program.fd));
    }
  }

  /** From here on all hooks are ours. */
  serve(): void {
    writeServing(this.#pins, { generation: this.#generation, version: OWN, from: this.#theirs.number });
  }

  /** Nothing of theirs is needed any more. */
  leave(): void {
    writeServing(this.#pins, { generation: this.#generation, version: OWN, from: 0 });
    removeOthers(this.#pins);
  }
}

/** What takeOver() did. */
export interface TakenOver {
  /** ABI_VERSION of the other layout */
  readonly from: number;
  /** Records of their flow tables; 0 where these are shared. */
  readonly records: number;
  /** What is missing, to be tried again: hooks on all devices; room for all flows. Until then their tables are in use too. */
  readonly waitsFor: "devices" | "room" | undefined;
}

/** Once movers, or programs that share all maps, hang on all devices: established connections know no other hooks. */
export async function takeOver(
  predecessor: Predecessor,
  pins: Pins,
  programs: Programs,
  hooks: DeviceHooks,
): Promise<TakenOver> {
  const taken = { from: predecessor.number, records: 0 };
  if (!hooks.complete) return { ...taken, waitsFor: "devices" };
  predecessor.serve();
  await rcuSync(); // what the others' programs had begun, they have done
  const { movers } = programs;
  const { records, error } = (movers && migrate(movers.migrate)) ?? { records: 0, error: 0 };
  if (error !== 0) return { ...taken, records, waitsFor: "room" };
  if (movers && !hooks.replace(programs)) return { ...taken, records, waitsFor: "devices" };
  pinPrograms(pins, programs);
  await rcuSync();
  predecessor.leave();
  return { ...taken, records, waitsFor: undefined };
}

/** On a first start: no other layout serves. */
export function serveFirst(pins: Pins): void {
  if (!existsSync(pins.serving)) writeServing(pins, { generation: 1, version: OWN, from: 0 });
}

/** ABI_VERSION of the layout that serves; undefined: nobody has said. */
export function servingLayout(pins: Pins): number | undefined {
  return existsSync(pins.serving) ? readServing(pins).version : undefined;
}

/** An agent of theirs was killed as it took over from yet another layout: brings the flows that it has not. */
function finishFor(theirs: LayoutPins, from: number): void {
  const pin = programPin(theirs, MIGRATE);
  if (!existsSync(pin)) return; // there was nothing to move
  using program = openPinnedProgram(pin);
  const { failed, error } = migrate(program);
  if (error === 0) return;
  throw new LayoutError(`${failed} flows of layout v${from}, which it took over from, find no room in its tables`);
}

/** Runs pt_migrate. Blocks for two to three seconds per million records. */
function migrate(program: BpfProgram): abi.Migration {
  const { ctxOut } = program.testRun({ ctx: new Uint8Array(abi.migration.size) });
  return decode(abi.migration, ctxOut);
}

/** Pins programs in place of those that an earlier agent of this layout has left there; and what moves flows, if they do. */
export function pinPrograms(pins: Pins, programs: TcPrograms & { readonly migrate?: BpfProgram }): void {
  mkdirSync(pins.programs, { recursive: true });
  for (const name of ["ingress", "egress", MIGRATE] as const) {
    const pin = programPin(pins, name);
    const beside = `${pin}-new`;
    rmSync(beside, { force: true });
    if (!programs[name]) {
      rmSync(pin, { force: true });
      continue;
    }
    programs[name].pin(beside);
    renameSync(beside, pin);
  }
}

/** Takes away what is pinned of all layouts but ours, and our hold on their programs. Only once none of them serves. */
export function removeOthers(pins: Pins): void {
  rmSync(mapPin(pins, BEFORE_PROGRAMS), { force: true });
  for (const layout of layoutsUnder(pins.root)) if (layout.number !== pins.number) removeLayout(layout);
}

/** Whatever a version may have there. Returns how many maps were pinned. */
export function removeLayout(layout: LayoutPins): number {
  const maps = namesIn(layout.maps).length;
  rmSync(layout.version, { recursive: true, force: true });
  return maps;
}

export function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function readServing(pins: Pins): abi.Serving {
  using map = openPinnedMap(pins.serving);
  return decode(abi.serving, map.lookup(CELL) ?? new Uint8Array(abi.serving.size));
}

function writeServing(pins: Pins, serving: abi.Serving): void {
  if (existsSync(pins.serving)) {
    using map = openPinnedMap(pins.serving);
    map.update(CELL, encode(abi.serving, serving));
    return;
  }
  mkdirSync(pins.root, { recursive: true });
  const valueSize = abi.serving.size;
  using map = createMap({ name: "serving", type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize, maxEntries: 1 });
  map.update(CELL, encode(abi.serving, serving));
  map.pin(pins.serving);
}
