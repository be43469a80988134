// SPDX-License-Identifier: Apache-2.0
// Loads the BPF objects over the pinned maps, which an earlier agent may have left, and attaches the socket programs.

import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  type BpfMap,
  type BpfProgram,
  type CgroupAttachType,
  type Features,
  type LoadedBpfObject,
  openObject,
  openPinnedMap,
  readBtf,
} from "../../libbpf/index.ts";
import type { DetectLocalMode } from "../contract.ts";
import { checkAbi } from "./abi-check.ts";
import { DETECT_LOCAL } from "./client-kinds.ts";
import { BpfObjectMissingError } from "./errors.ts";
import { recordLayout } from "./layout-record.ts";
import { dropLink, ensureLink } from "./links.ts";
import { linkPin, mapPin, type Pins } from "./pins.ts";
import { flag, u16, u32, u64 } from "./rodata.ts";
import type { Predecessor, TcPrograms } from "./takeover.ts";

const OBJECTS = ["cgroup", "tc", "sweep", "leave", "xdp"] as const;
type ObjectName = (typeof OBJECTS)[number] | "migrate";

/** What balances the sockets below a cgroup; all of them, at every agent. */
export const CGROUP_HOOKS: readonly CgroupAttachType[] = [
  "connect4",
  "connect6",
  "sendmsg4",
  "sendmsg6",
  "recvmsg4",
  "recvmsg6",
  "getpeername4",
  "getpeername6",
];

/** Not pinned: `explained` belongs to explain's own dry runs, the others to one load of an object. */
const LOCAL_MAPS: ReadonlySet<string> = new Set([
  "explained",
  "work",
  "reply_sources",
  "overtaking",
  "piece_here",
  // of programs that take over (Predecessor), empty in all others
  "flows_before",
  "nascent_before",
  "programs_before",
  "serving",
  "moving",
]);

/** Only with protectNodePorts. */
const BIND_HOOKS: readonly CgroupAttachType[] = ["bind4", "bind6"];

/** What the programs are told before they are loaded (bpf/config.bpf.h). */
export interface ProgramConfig {
  readonly hostNetnsCookie: bigint;
  readonly masqueradeAll: boolean;
  readonly detectLocalMode: DetectLocalMode;
  /** VIPs answer echo requests. */
  readonly vipPing: boolean;
  /** Uplinks whose drivers can run XDP. */
  readonly xdp: boolean;
  /** Ports, both ends included, for masqueraded connections; nodePorts are left out of them. */
  readonly snatPorts: { readonly min: number; readonly max: number };
  readonly nodePorts: { readonly min: number; readonly max: number };
  /** Bits 0..31 of the packet mark: translated on the way in, on the way out. */
  readonly markBits: { readonly inbound: number; readonly outbound: number };
  readonly features: Features;
}

/** Which socket programs are wanted beside those that balance. */
export interface SocketHooks {
  /** bind() to a NodePort is refused to processes of the host. */
  readonly protectNodePorts: boolean;
}

/** max_entries by map name; a map that is pinned already keeps its size. */
export type MapSizeTable = Readonly<Record<string, number>>;

export interface SizeConflict {
  readonly map: string;
  readonly wanted: number;
  readonly pinned: number;
}

const BPF_F_IPV6 = 1n << 7n;
const OBJECTS_ADVICE = "build them with npm run build, or name their directory in PORTOLAN_BPF_DIR";

export class Programs implements Disposable {
  readonly #objects: ReadonlyMap<ObjectName, LoadedBpfObject>;
  readonly #pins: Pins;
  /** Sizes that could not be had because the maps were there before. */
  readonly sizeConflicts: readonly SizeConflict[];
  /** Where flows of another layout are to be moved: what hangs on the devices until they are. */
  readonly movers: Movers | undefined;

  private constructor(
    objects: ReadonlyMap<ObjectName, LoadedBpfObject>,
    pins: Pins,
    sizeConflicts: readonly SizeConflict[],
    movers: Movers | undefined,
  ) {
    this.#objects = objects;
    this.#pins = pins;
    this.sizeConflicts = sizeConflicts;
    this.movers = movers;
  }

  /**
   * The kernel takes a second to check them, the event loop goes on meanwhile. Rejects with VerifierError or BpfError;
   * what is attached stays as it is.
   */
  static async load(
    pins: Pins,
    sizes: MapSizeTable,
    config: ProgramConfig,
    predecessor?: Predecessor,
  ): Promise<Programs> {
    recordLayout(pins);
    mkdirSync(pins.maps, { recursive: true });
    mkdirSync(pins.links, { recursive: true });
    predecessor?.share(pinnedMaps());
    const inForce = sizesInForce(pins, sizes, predecessor);
    const objects = new Map<ObjectName, LoadedBpfObject>();
    let movers: Movers | undefined;
    try {
      for (const name of OBJECTS) {
        if (name === "leave" && !canDestroySockets(config.features)) continue;
        if (name === "xdp" && !config.xdp) continue;
        objects.set(name, await loadObject(name, pins, inForce, config));
      }
      if (predecessor?.flowsMove)
        movers = await Movers.load((name) => loadObject(name, pins, inForce, config, predecessor), predecessor);
    } catch (error) {
      for (const object of objects.values()) object[Symbol.dispose]();
      throw error;
    }
    const conflicts = Object.entries(sizes)
      .map(([map, wanted]) => ({ map, wanted, pinned: inForce[map] ?? wanted }))
      .filter(({ wanted, pinned }) => wanted !== pinned);
    return new Programs(objects, pins, conflicts, movers);
  }

  /** Any map of maps.bpf.h: every object has them all. */
  map(name: string): BpfMap {
    return this.#object("tc").map(name);
  }

  get ingress(): BpfProgram {
    return this.#object("tc").program("pt_ingress");
  }

  get egress(): BpfProgram {
    return this.#object("tc").program("pt_egress");
  }

  get sweep(): BpfProgram {
    return this.#object("sweep").program("pt_sweep");
  }

  /** undefined: not asked for. */
  get xdp(): BpfProgram | undefined {
    return this.#objects.get("xdp")?.program("pt_xdp");
  }

  /** Iterate over sockets; undefined where the kernel or our capabilities do not allow it. */
  get leave(): { readonly UDP: BpfProgram; readonly TCP: BpfProgram } | undefined {
    const object = this.#objects.get("leave");
    return object && { UDP: object.program("pt_leave_udp"), TCP: object.program("pt_leave_tcp") };
  }

  /** Puts the socket programs on a cgroup2 directory, in place of those of an earlier agent. */
  attachCgroup(cgroupRoot: string, { protectNodePorts }: SocketHooks): void {
    const cgroupId = statSync(cgroupRoot, { bigint: true }).ino;
    for (const hook of [...CGROUP_HOOKS, ...(protectNodePorts ? BIND_HOOKS : [])]) {
      const program = this.#object("cgroup").program(`pt_${hook}`);
      ensureLink(
        cgroupPin(this.#pins, hook),
        program,
        (target) => target.cgroupId === cgroupId,
        () => program.attachCgroup(cgroupRoot, hook),
      );
    }
    if (!protectNodePorts) for (const hook of BIND_HOOKS) dropLink(cgroupPin(this.#pins, hook));
  }

  [Symbol.dispose](): void {
    for (const object of this.#objects.values()) object[Symbol.dispose]();
    this.movers?.[Symbol.dispose]();
  }

  #object(name: ObjectName): LoadedBpfObject {
    const object = this.#objects.get(name);
    if (!object) throw new Error(`BPF object ${name} is not loaded`);
    return object;
  }
}

/** The tc programs that take over from a predecessor whose flows lie otherwise, and what moves those. */
export class Movers implements TcPrograms, Disposable {
  readonly #tc: LoadedBpfObject;
  readonly #migrate: LoadedBpfObject;

  private constructor(tc: LoadedBpfObject, migrate: LoadedBpfObject) {
    this.#tc = tc;
    this.#migrate = migrate;
  }

  static async load(
    load: (name: "tc" | "migrate") => Promise<LoadedBpfObject>,
    predecessor: Predecessor,
  ): Promise<Movers> {
    const migrate = await load("migrate");
    try {
      const tc = await load("tc");
      predecessor.handOnTo(tc.map("programs_before"));
      return new Movers(tc, migrate);
    } catch (error) {
      migrate[Symbol.dispose]();
      throw error;
    }
  }

  get ingress(): BpfProgram {
    return this.#tc.program("pt_ingress");
  }

  get egress(): BpfProgram {
    return this.#tc.program("pt_egress");
  }

  /** Moves what no packet has asked for yet. */
  get migrate(): BpfProgram {
    return this.#migrate.program("pt_migrate");
  }

  [Symbol.dispose](): void {
    this.#tc[Symbol.dispose]();
    this.#migrate[Symbol.dispose]();
  }
}

function cgroupPin(pins: Pins, hook: CgroupAttachType): string {
  return linkPin(pins, `cgroup-${hook}`);
}

/** Directory of the built objects: beside the bundle's folder, or in the source tree. Throws BpfObjectMissingError. */
export function bpfDirectory(): string {
  const given = process.env.PORTOLAN_BPF_DIR;
  if (given !== undefined) return given;
  const candidates = ["../build/bpf", "../../../build/bpf"].map((path) => join(import.meta.dirname, path));
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new BpfObjectMissingError(`no BPF objects in ${candidates.join(" or ")}: ${OBJECTS_ADVICE}`);
}

/** File of a built object, by the name of its source. Throws BpfObjectMissingError. */
export function bpfObjectPath(name: string): string {
  const path = join(bpfDirectory(), `${name}.bpf.o`);
  if (existsSync(path)) return path;
  throw new BpfObjectMissingError(`there is no BPF object ${path}: ${OBJECTS_ADVICE}`);
}

/** Names of the maps that all objects share. */
function pinnedMaps(): ReadonlySet<string> {
  using tc = openObject(bpfObjectPath("tc"));
  return new Set(tc.mapNames.filter(isPinned));
}

/** Names with a dot are .rodata and the like. */
export function isPinned(map: string): boolean {
  return !LOCAL_MAPS.has(map) && !map.includes(".");
}

/** The kernel refuses a pinned map of another size, and a map cannot grow: what is there decides. */
function sizesInForce(pins: Pins, sizes: MapSizeTable, predecessor: Predecessor | undefined): MapSizeTable {
  return Object.fromEntries(
    Object.entries(sizes).map(([name, wanted]) => {
      const pin = mapPin(pins, name);
      if (!existsSync(pin)) return [name, predecessor?.sizeFor(name, wanted) ?? wanted];
      using map = openPinnedMap(pin);
      return [name, map.maxEntries];
    }),
  );
}

async function loadObject(
  name: ObjectName,
  pins: Pins,
  sizes: MapSizeTable,
  config: ProgramConfig,
  predecessor?: Predecessor,
): Promise<LoadedBpfObject> {
  const path = bpfObjectPath(name);
  checkAbi(path, readBtf(path));
  using object = openObject(path);
  for (const map of object.mapNames) {
    if (!isPinned(map)) continue;
    object.setPinPath(map, mapPin(pins, map));
    const size = sizes[map];
    if (size !== undefined) object.setMaxEntries(map, size);
  }
  object.setRodata("host_netns_cookie", u64(config.hostNetnsCookie));
  object.setRodata("masquerade_all", flag(config.masqueradeAll));
  object.setRodata("detect_local", u32(DETECT_LOCAL[config.detectLocalMode]));
  object.setRodata("vip_ping", flag(config.vipPing));
  object.setRodata("mark_in", u32(2 ** config.markBits.inbound));
  object.setRodata("mark_out", u32(2 ** config.markBits.outbound));
  object.setRodata("snat_port_min", u16(config.snatPorts.min));
  object.setRodata("snat_port_max", u16(config.snatPorts.max));
  object.setRodata("node_port_min", u16(config.nodePorts.min));
  object.setRodata("node_port_max", u16(config.nodePorts.max));
  object.setRodata("csum_ipv6_flag", u64(config.features.csumIpv6Flag.supported ? BPF_F_IPV6 : 0n));
  object.setRodata("has_conntrack", flag(config.features.conntrackLookup.supported));
  object.setRodata("has_set_retval", flag(config.features.setRetval.supported));
  if (name === "leave") object.setRodata("has_sock_destroy", flag(config.features.sockDestroy.supported));
  predecessor?.prepare(object);
  return await object.loadAside();
}

function canDestroySockets({ sockDestroy, sockDiagDestroy }: Features): boolean {
  return sockDestroy.supported || sockDiagDestroy.supported;
}
