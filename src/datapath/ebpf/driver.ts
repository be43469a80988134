// SPDX-License-Identifier: Apache-2.0
// The ebpf driver: programs, map writer, hooks and the agent's own cell as one datapath.

import type { Delta, ServiceKey } from "../../compile/state.ts";
import { rcuSync } from "../../libbpf/index.ts";
import type { Cidr } from "../../model/ip.ts";
import { type Ip, ipToBytes } from "../../model/ip.ts";
import type { AdoptedService, ApplyReport, Datapath, DeviceChanges, NodeAddress } from "../contract.ts";
import type { DeviceRules } from "../devices/classify.ts";
import type { NetworkView } from "../network.ts";
import * as abi from "./abi.gen.ts";
import { AgentStateCell } from "./agent-state.ts";
import { DeviceHooks, type TcAttachment } from "./attach.ts";
import { DETECT_LOCAL, firstOfFamily, writeClientKinds } from "./client-kinds.ts";
import { decode } from "./codec.ts";
import { Counters } from "./counters.ts";
import { isAttached } from "./links.ts";
import { networkNamespaces } from "./namespaces.ts";
import { OptedOutTable } from "./opted-out.ts";
import { linkPin, type Pins } from "./pins.ts";
import {
  CGROUP_HOOKS,
  type MapSizeTable,
  type ProgramConfig,
  Programs,
  type SizeConflict,
  type SocketHooks,
} from "./programs.ts";
import { type SocketPassListener, type SocketProtocol, StaleSockets } from "./stale-sockets.ts";
import { Predecessor, pinPrograms, removeOthers, serveFirst, type TakenOver, takeOver } from "./takeover.ts";
import { MapWriter } from "./writer.ts";
import { XdpHooks } from "./xdp.ts";

export interface DriverOptions {
  readonly pins: Pins;
  readonly sizes: MapSizeTable;
  readonly config: ProgramConfig;
  readonly tcAttachment: TcAttachment;
  readonly nodeName: string;
  /** Of the agent, for `status`. */
  readonly version: string;
  /** What went wrong in the background. */
  readonly onError: (error: unknown) => void;
  /** What to tell of sockets on endpoints that serve no more; without it, they are left alone. */
  readonly staleSockets?: SocketPassListener;
}

export class EbpfDriver implements Datapath, Disposable {
  readonly mode = "ebpf";
  readonly #pins: Pins;
  readonly #programs: Programs;
  readonly #predecessor: Predecessor | undefined;
  /** Not all flows of the predecessor are ours yet. */
  #takesOver: boolean;
  readonly #writer: MapWriter;
  readonly #hooks: DeviceHooks;
  readonly #xdp: XdpHooks;
  readonly #state: AgentStateCell;
  /** Pods whose sockets are not balanced. */
  readonly optedOut: OptedOutTable;
  readonly #options: DriverOptions;
  readonly #staleSockets: StaleSockets | undefined = undefined;
  /** Until then an endpoint that is missing may only not have been read yet: no socket may be taken off it. */
  #synced = false;
  #adoptedNodePorts: readonly Ip[] = [];
  /** Again, as they were attached; undefined: not yet. */
  #attachSockets: (() => void) | undefined;
  #swept: abi.SweepReport | undefined;
  readonly counters: Counters;

  /** Loads the programs over the pinned maps; nothing that serves is touched. Rejects with BpfError, VerifierError. */
  static async load(options: DriverOptions): Promise<EbpfDriver> {
    const { pins, sizes, config } = options;
    const predecessor = Predecessor.find(pins);
    const programs = await Programs.load(pins, sizes, config, predecessor);
    pinPrograms(pins, programs.movers ?? programs);
    serveFirst(pins);
    return new EbpfDriver(options, programs, predecessor);
  }

  private constructor(options: DriverOptions, programs: Programs, predecessor: Predecessor | undefined) {
    const { pins, config, tcAttachment, onError } = options;
    this.#options = options;
    this.#pins = pins;
    this.#predecessor = predecessor;
    this.#takesOver = predecessor !== undefined;
    this.#programs = programs;
    const map = (name: string) => this.#programs.map(name);
    this.#writer = new MapWriter(
      {
        frontends: map("frontends"),
        addresses: map("addresses"),
        service_ranges: map("service_ranges"),
        source_ranges: map("source_ranges"),
        services: map("services"),
        members: map("members"),
        tables: map("tables"),
        backends: map("backends"),
        service_meta: map("service_meta"),
        names: map("names"),
        service_stats: map("service_stats"),
        backend_stats: map("backend_stats"),
      },
      { rcuSync, onError, onEndpointsLost: (protocol) => this.#lookForStaleSockets(protocol) },
    );
    this.counters = new Counters({
      map,
      stores: this.#writer.stores,
      services: this.#writer.services,
      swept: () => this.#swept,
    });
    const { leave } = this.#programs;
    if (leave && options.staleSockets) {
      const namespaces = () => networkNamespaces();
      this.#staleSockets = new StaleSockets(leave, {
        ...options.staleSockets,
        rcuSync,
        namespaces,
        byReader: !config.features.sockDestroy.supported,
      });
    }
    this.#hooks = new DeviceHooks(programs.movers ?? programs, map("devices"), pins, tcAttachment);
    this.#xdp = new XdpHooks(programs.xdp, pins);
    this.#state = new AgentStateCell(map("agent_state"));
    this.optedOut = new OptedOutTable(map("opted_out"), map("opted_out_at"));
  }

  /** Map sizes that could not be had because the maps were there before. */
  get sizeConflicts(): readonly SizeConflict[] {
    return this.#programs.sizeConflicts;
  }

  /** What adopt() found inconsistent, in words. */
  get warnings(): readonly string[] {
    return this.#writer.warnings;
  }

  get unserved(): ReadonlySet<ServiceKey> {
    return this.#writer.unserved;
  }

  /**
   * Takes over what an earlier agent left in the kernel, without changing it. Returns the services found there.
   */
  adopt(): readonly AdoptedService[] {
    const keys = this.#writer.adopt(this.#state.state.node);
    const found = keys.map((key) => ({ key, localEndpoints: this.#writer.localEndpoints(key) }));
    this.#adoptedNodePorts = this.#writer.stores.addresses.servingNodePorts();
    this.optedOut.adopt();
    const { nodeName, version, config } = this.#options;
    // Ifindexes say nothing about another namespace, as that of a node in a container that was made anew.
    if (this.#state.state.netnsCookie === config.hostNetnsCookie) this.#hooks.adopt();
    this.#state.update({
      abiVersion: abi.PortolanAbi.ABI_VERSION,
      startedMs: BigInt(Date.now()),
      netnsCookie: config.hostNetnsCookie,
      pid: process.pid,
      node: this.#nodeRow(nodeName),
      version,
    });
    return found;
  }

  /** Here and below all is done when the call returns. */
  async sync(delta: Delta): Promise<ApplyReport> {
    try {
      return this.#writer.sync(delta);
    } finally {
      // A service that found no room does not unmake the rest.
      this.#state.update({ synced: 1, lastSyncMs: BigInt(Date.now()) });
      this.#synced = true;
      // What changed while no agent was here, or after the last one had no time to look.
      this.#lookForStaleSockets("UDP");
      if (delta.upsert.some((service) => service.endsConnections)) this.#lookForStaleSockets("TCP");
    }
  }

  async apply(delta: Delta): Promise<ApplyReport> {
    const report = this.#writer.apply(delta);
    this.#state.update({ lastSyncMs: BigInt(Date.now()) });
    return report;
  }

  async retry(): Promise<ApplyReport> {
    const report = this.#writer.retry();
    this.#state.update({ lastSyncMs: BigInt(Date.now()) });
    return report;
  }

  /** Addresses on which an earlier agent served NodePorts. */
  get adoptedNodePorts(): readonly Ip[] {
    return this.#adoptedNodePorts;
  }

  setNodeAddresses(addresses: readonly NodeAddress[]): void {
    this.#writer.setNodeAddresses(addresses);
  }

  /** Ranges of ClusterIPs that are in force: after adopt() those that an earlier agent left. */
  get serviceRanges(): readonly Cidr[] {
    return this.#writer.stores.serviceRanges.ranges;
  }

  setServiceRanges(ranges: readonly Cidr[]): void {
    this.#writer.setServiceRanges(ranges);
  }

  /** The node's own pod ranges, the first of each family: explain tells pods by them. */
  setPodRanges(ranges: readonly Cidr[]): void {
    const [pods4, pods6] = [firstOfFamily(ranges, 4), firstOfFamily(ranges, 6)];
    this.#state.update({
      pods4: pods4 ? ipToBytes(pods4.address) : new Uint8Array(16),
      pods4Prefix: pods4?.prefixLength ?? 0,
      pods6: pods6 ? ipToBytes(pods6.address) : new Uint8Array(16),
      pods6Prefix: pods6?.prefixLength ?? 0,
    });
  }

  /** How many objects hold something that cannot be used; for `status`. */
  noteProblems(count: number): void {
    const problems = Math.min(count, 0xffff);
    if (this.#state.state.problems !== problems) this.#state.update({ problems });
  }

  /** As last noted; 65535: so many or more. */
  get problems(): number {
    return this.#state.state.problems;
  }

  /** Whether client_kinds holds what an agent of this mode has written. */
  get localRangesKnown(): boolean {
    return this.#state.state.rangesOf === this.#detectLocal;
  }

  /** Whose addresses are local pods' where the mode is ClusterCIDR or NodeCIDR: the first range of each family. */
  setLocalRanges(ranges: readonly Cidr[]): void {
    const { DETECT_DEVICE } = abi.DetectLocal;
    // Of two modes no agent takes the other's ranges for its own, wherever this one is killed.
    if (!this.localRangesKnown) this.#state.update({ rangesOf: DETECT_DEVICE });
    writeClientKinds(this.#programs.map("client_kinds"), ranges);
    if (!this.localRangesKnown) this.#state.update({ rangesOf: this.#detectLocal });
  }

  /**
   * Puts the socket programs on a cgroup, in place of those of an earlier agent. Only once the state is there, and after
   * the devices: from here on the programs in force are ours, and the state says so.
   */
  attachSockets(cgroupRoot: string, hooks: SocketHooks): void {
    this.#attachSockets = () => this.#programs.attachCgroup(cgroupRoot, hooks);
    this.#attachSockets();
    const config = this.#options.config.masqueradeAll ? abi.AgentConfig.AGENT_MASQUERADE_ALL : 0;
    // What no program asks any more is nobody's last word later.
    const rangesOf = this.localRangesKnown ? this.#detectLocal : abi.DetectLocal.DETECT_DEVICE;
    this.#state.update({ config, detectLocal: this.#detectLocal, rangesOf });
  }

  /** Makes hooks and device map fit the network. Only once the state is there. */
  attachDevices(network: NetworkView, rules: DeviceRules): DeviceChanges {
    // It knows our own tables alone, so tc is alone while another layout's are taken over.
    if (this.#takesOver) this.#xdp.drop();
    const changes = this.#hooks.reconcile(network, rules);
    return { ...changes, graded: this.#takesOver ? [] : this.#xdp.reconcile(this.#hooks.devices) };
  }

  /**
   * After attachDevices(): takes over the flows of a layout that served here before, if one did, or says what that waits
   * for. Throws BpfError; it may be tried again, and the next agent goes on from there.
   */
  async takeOver(): Promise<TakenOver | undefined> {
    const predecessor = this.#predecessor;
    if (predecessor) {
      const taken = await takeOver(predecessor, this.#pins, this.#programs, this.#hooks);
      this.#takesOver = taken.waitsFor !== undefined;
      if (!this.#takesOver) this.#xdp.reconcile(this.#hooks.devices);
      return taken;
    }
    // Of an agent that was killed before its programs served; they may hang where ours do not yet.
    if (this.#hooks.complete) removeOthers(this.#pins);
    return undefined;
  }

  /**
   * Puts hooks back that somebody has taken off. Of so many parts it looks at one, 0 to parts - 1: to ask the kernel about all
   * links of a large node takes tens of milliseconds. Returns whose they were: ifindexes, and "sockets". Throws BpfError.
   */
  healHooks(part: number, parts: number): readonly (number | "sockets")[] {
    const among = (ifindex: number): boolean => ifindex % parts === part;
    const devices = [...new Set([...this.#hooks.heal(among), ...this.#xdp.heal(among)])];
    if (part > 0 || !this.#attachSockets) return devices;
    if (CGROUP_HOOKS.every((hook) => isAttached(linkPin(this.#pins, `cgroup-${hook}`)))) return devices;
    this.#attachSockets();
    return [...devices, "sockets"];
  }

  /** Deletes expired flows, in the kernel. */
  sweep(): abi.SweepReport {
    const { ctxOut } = this.#programs.sweep.testRun({ ctx: new Uint8Array(abi.sweepReport.size) });
    this.#swept = decode(abi.sweepReport, ctxOut);
    return this.#swept;
  }

  [Symbol.dispose](): void {
    this.#staleSockets?.[Symbol.dispose]();
    this.#writer[Symbol.dispose]();
    this.#programs[Symbol.dispose]();
  }

  get #detectLocal(): number {
    return DETECT_LOCAL[this.#options.config.detectLocalMode];
  }

  #lookForStaleSockets(protocol: SocketProtocol): void {
    if (this.#synced) this.#staleSockets?.look(protocol);
  }

  /** The row of the node's name; adopt() kept the earlier agent's, which often says the same. */
  #nodeRow(nodeName: string): number {
    const { names } = this.#writer.stores;
    const row = names.acquire(nodeName);
    names.release(this.#state.state.node);
    return row;
  }
}
