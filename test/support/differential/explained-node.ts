// SPDX-License-Identifier: Apache-2.0
// A node without traffic: manifests go the whole way from text to pinned maps as in the agent, and `explain` answers by
// dry runs of the loaded programs. State and programs can be planted with faults.

import { isLocalInterface, type LocalDetector } from "../../../src/agent/local-detector.ts";
import { Compiler } from "../../../src/compile/compiler.ts";
import type { CompiledService } from "../../../src/compile/state.ts";
import type { DetectLocalMode } from "../../../src/datapath/contract.ts";
import { classifyDevices, type DeviceRules } from "../../../src/datapath/devices/classify.ts";
import { AgentConfig, type AgentState, affinity, clientNetns } from "../../../src/datapath/ebpf/abi.gen.ts";
import { DETECT_LOCAL } from "../../../src/datapath/ebpf/client-kinds.ts";
import { decode, encode } from "../../../src/datapath/ebpf/codec.ts";
import { deviceKey, encodeDevice } from "../../../src/datapath/ebpf/devices-map.ts";
import { EbpfDriver } from "../../../src/datapath/ebpf/driver.ts";
import { mapPin, type Pins, pinsUnder } from "../../../src/datapath/ebpf/pins.ts";
import type { ProgramConfig } from "../../../src/datapath/ebpf/programs.ts";
import { openState } from "../../../src/datapath/ebpf/state.ts";
import type { DatapathState } from "../../../src/datapath/ebpf/state-types.ts";
import type { NetworkView } from "../../../src/datapath/network.ts";
import type { Answer } from "../../../src/inspect/answer.ts";
import { DryRuns } from "../../../src/inspect/dry-run.ts";
import { Explainer } from "../../../src/inspect/explain.ts";
import { parseBatchLine } from "../../../src/inspect/question.ts";
import { netnsCookie, openPinnedMap, probeFeatures, rcuSync } from "../../../src/libbpf/index.ts";
import type { LinkInfo } from "../../../src/libbpf/types.ts";
import type { ModelObject } from "../../../src/model/changes.ts";
import { type Cidr, ipToBytes, parseCidr, parseIp } from "../../../src/model/ip.ts";
import { readManifest } from "../../../src/source/manifest-file.ts";
import { ManifestStore } from "../../../src/source/manifest-store.ts";
import { defaultRoute } from "../../unit/devices/builders.ts";
import { bpffs } from "../bpffs.ts";
import type { Interface, Packet, World } from "../model/world.ts";
import { HERE, POD_RANGES } from "./places.ts";

const FILE = "world.json";

/** Room for a few dozen Services and the blocks of the world before. */
const SIZES = {
  ...{ services: 1024, service_meta: 1024, service_stats: 1024, frontends: 4096, members: 8192, tables: 65536 },
  ...{ addresses: 4096, names: 256, backends: 4096, backend_stats: 4096, flows: 1024, nascent: 1024 },
  ...{ affinity: 4096, client_netns: 1024 },
};

/** What a planted fault does on the way from manifests to maps. */
export interface Fault {
  /** Before the manifests are read. */
  readonly world?: (world: World) => World;
  /** Before the service is written. */
  readonly service?: (service: CompiledService) => CompiledService;
  /** Before it is written whose addresses are local pods'. */
  readonly localRanges?: (ranges: readonly Cidr[]) => readonly Cidr[];
}

/** Loads of one build of the programs, by what they were told of local pods. */
type Loads = Map<DetectLocalMode, DryRuns>;
type Mount = ReturnType<typeof bpffs>;

export interface NodeOptions {
  readonly masqueradeAll?: boolean;
  /** Of the network namespace whose processes are the node's; default: this one. */
  readonly hostNetnsCookie?: bigint;
}

export class ExplainedNode implements Disposable {
  readonly pins: Pins;
  /** What its programs are loaded with; those of others over its maps are to be too. */
  readonly config: ProgramConfig;
  readonly #mount: Mount;
  readonly #driver: EbpfDriver;
  readonly #state: DatapathState;
  /** By detectLocalMode, of each build of the programs. */
  readonly #builds: Loads[] = [new Map()];
  readonly #store = new ManifestStore();
  #compiler = new Compiler(HERE);
  #explainers: { readonly wire: Explainer; readonly socket: Explainer } | undefined;

  static async make(options: NodeOptions = {}): Promise<ExplainedNode> {
    const mount = bpffs();
    const config = configOf(options);
    const driver = await openDriver(pinsUnder(mount.path), config);
    driver.adopt();
    await driver.sync({ upsert: [], remove: [] });
    return new ExplainedNode(mount, config, driver);
  }

  private constructor(mount: Mount, config: ProgramConfig, driver: EbpfDriver) {
    this.#mount = mount;
    this.pins = pinsUnder(mount.path);
    this.config = config;
    this.#driver = driver;
    this.#driver.setPodRanges(POD_RANGES.map((range) => known(parseCidr(range))));
    this.#state = openState(this.#mount.path);
  }

  /** Those that PORTOLAN_BPF_DIR names, or the built ones, answer from now on. */
  usePrograms(): void {
    this.#builds.push(new Map());
  }

  /** Back to the programs before. */
  dropPrograms(): void {
    for (const runs of this.#builds.pop()?.values() ?? []) runs[Symbol.dispose]();
  }

  /** Replaces what the node serves: by a change, as a manifest directory would tell it. */
  async serve(world: World, fault: Fault = {}): Promise<void> {
    if (world.masqueradeAll !== this.config.masqueradeAll)
      throw new Error("the programs were loaded for the other setting");
    const { services, slices, nodes } = (fault.world ?? same)(world);
    const text = JSON.stringify({ apiVersion: "v1", kind: "List", items: [...nodes, ...services, ...slices] });
    const sharing = { intern: same<string>, reuse: same };
    const { objects, problems } = readManifest(FILE, text, new Map(), sharing);
    const errors = problems.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("\n"));
    this.#store.replace(FILE, objects);
    const { delta } = this.#compiler.update(this.#store.take(true));
    await rcuSync(); // what the worlds before used is free again
    await this.#driver.apply({ ...delta, upsert: delta.upsert.map(fault.service ?? same) });
    this.#driver.setNodeAddresses(
      world.addresses.map(({ address, ...rest }) => ({ ...rest, address: known(parseIp(address)) })),
    );
    this.#tellClients(
      world,
      [...objects.values()].map(({ object }) => object),
      fault,
    );
    const config = world.masqueradeAll ? AgentConfig.AGENT_MASQUERADE_ALL : 0; // said by attachSockets(), which nobody calls
    const agent = { ...known(this.#state.agent()), config, detectLocal: DETECT_LOCAL[world.detectLocal.mode] };
    const programs = this.#programs(world.detectLocal.mode, agent);
    const explainer = (socket: boolean) =>
      new Explainer(this.#state, agent, programs, undefined, { via: undefined, socket });
    this.#explainers = { wire: explainer(false), socket: explainer(true) };
  }

  /** Lets this many seconds pass for everything that session affinity remembers. */
  ageAffinity(seconds: number): void {
    using map = openPinnedMap(mapPin(this.pins, "affinity"));
    for (const [key, value] of [...map.entries()]) {
      const memory = decode(affinity, value);
      map.update(key, encode(affinity, { ...memory, lastUsed: memory.lastUsed - seconds }));
    }
  }

  /** As if sockets of that network namespace had been seen to use this address. */
  knowPod(address: string, cookie: bigint): void {
    using map = openPinnedMap(mapPin(this.pins, "client_netns"));
    map.update(ipToBytes(known(parseIp(address))), encode(clientNetns, { cookie }));
  }

  /** An empty node whose next world is compiled anew: what a planted fault left is gone. */
  async forget(): Promise<void> {
    this.#store.replace(FILE, new Map());
    const { delta } = this.#compiler.update(this.#store.take(true));
    await this.#driver.apply(delta);
    this.#compiler = new Compiler(HERE);
  }

  /** sourcePort matters to choices by hash. */
  explain(packet: Packet, sourcePort: number): Answer {
    const line = JSON.stringify({
      ...{ src: packet.source, sport: sourcePort },
      ...{ dst: packet.destination, dport: packet.port, proto: packet.protocol },
    });
    return known(this.#explainers)[packet.hook].explain(parseBatchLine(line)).answer;
  }

  /** As the agent's NodeFollower does. */
  #tellClients({ detectLocal, interfaces }: World, objects: readonly ModelObject[], fault: Fault): void {
    const node = objects.find((object) => object.kind === "Node" && object.name === HERE);
    const byNode = detectLocal.mode === "NodeCIDR" && node?.kind === "Node" ? node.podCidrs : [];
    const byCluster = detectLocal.mode === "ClusterCIDR" ? detectLocal.cidrs.map((cidr) => known(parseCidr(cidr))) : [];
    this.#driver.setLocalRanges((fault.localRanges ?? same)([...byNode, ...byCluster]));
    const detector: LocalDetector = "interface" in detectLocal ? detectLocal : { mode: "Device" };
    using map = openPinnedMap(mapPin(this.pins, "devices"));
    for (const [key] of map.entries()) map.delete(key);
    for (const device of classifyDevices(networkOf(interfaces), rulesOf(detector)).values()) {
      map.update(deviceKey(device.ifindex), encodeDevice(device));
    }
  }

  #programs(mode: DetectLocalMode, agent: AgentState): DryRuns {
    const loads = known(this.#builds.at(-1));
    const runs = loads.get(mode) ?? new DryRuns(this.pins, agent);
    loads.set(mode, runs);
    return runs;
  }

  [Symbol.dispose](): void {
    while (this.#builds.length > 0) this.dropPrograms();
    this.#state[Symbol.dispose]();
    this.#driver[Symbol.dispose]();
    this.#mount[Symbol.dispose]();
  }
}

const UPLINK = 1001;
const BRIDGE = 1002;
const POD = 1003;

/** What the agent would find: a device for clients outside, one for pods, and the bridge that it may be a port of. */
function networkOf({ pod, outside }: World["interfaces"]): NetworkView {
  const link = (ifindex: number, { name }: Interface, kind: string): LinkInfo => ({
    ...{ ifindex, name, kind, arpType: 1, link: 0, mac: new Uint8Array(6), mtu: 1500, up: true },
    master: kind === "veth" && pod.bridge ? BRIDGE : 0,
    linkNetnsid: kind === "veth" ? 1 : undefined,
  });
  const bridges = pod.bridge ? [link(BRIDGE, { name: pod.bridge }, "bridge")] : [];
  const links = [link(UPLINK, outside, ""), ...bridges, link(POD, pod, "veth")];
  return { links, addresses: [], defaultRoutes: [defaultRoute(UPLINK)] };
}

function rulesOf(detector: LocalDetector): DeviceRules {
  return {
    uplinkPatterns: [],
    podPatterns: [],
    nodeAddresses: [],
    isLocalInterface: isLocalInterface(detector),
  };
}

function configOf({ masqueradeAll = false, hostNetnsCookie = netnsCookie() }: NodeOptions): ProgramConfig {
  return {
    hostNetnsCookie,
    masqueradeAll,
    detectLocalMode: "Device",
    vipPing: false,
    xdp: false,
    snatPorts: { min: 1024, max: 65535 },
    nodePorts: { min: 30000, max: 32767 },
    markBits: { inbound: 29, outbound: 30 },
    features: probeFeatures(),
  };
}

function openDriver(pins: Pins, config: ProgramConfig): Promise<EbpfDriver> {
  return EbpfDriver.load({
    ...{ pins, sizes: SIZES, config, tcAttachment: "clsact", nodeName: HERE, version: "test" },
    onError: (error) => {
      throw error;
    },
  });
}

function same<T>(value: T): T {
  return value;
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the node is not ready for this");
  return value;
}
