// SPDX-License-Identifier: Apache-2.0
// `explain`: where a new connection would go, and why. The decision is the programs' own, by a dry run; the state gives it
// names and candidates.

import type { DetectLocalMode } from "../datapath/contract.ts";
import * as abi from "../datapath/ebpf/abi.gen.ts";
import { detectLocalMode } from "../datapath/ebpf/client-kinds.ts";
import { frontendKindOf, protocolNumber } from "../datapath/ebpf/service-plan.ts";
import type { AgentInfo, DatapathState, DeviceState, ServiceState } from "../datapath/ebpf/state-types.ts";
import type { LinkInfo, RouteInfo } from "../libbpf/types.ts";
import { type Cidr, familyOf, type Ip, ipFromBytes, ipToBytes } from "../model/ip.ts";
import { type Answer, composeAnswer, type DecidedService, type Decision, type Entry } from "./answer.ts";
import type { DryRuns } from "./dry-run.ts";
import { formatEndpoint } from "./endpoint.ts";
import { usedEntries } from "./entries.ts";
import { clientKind, type NodeFacts, podDevice, type SourceRoute } from "./entry.ts";
import { craftPacket } from "./packet.ts";
import { type Question, QuestionError } from "./question.ts";
import { serviceName } from "./service-rows.ts";
import { decidedRange } from "./source-rows.ts";

/** What this process sees of the node's network; undefined: it runs in another network namespace. */
export interface NetworkFacts {
  readonly links: readonly LinkInfo[];
  readonly routes: readonly RouteInfo[];
}

export interface ExplainOptions {
  /** Name of the device the packet enters by; undefined: told from the source. */
  readonly via: string | undefined;
  /** Answer for a connect() of a local process. */
  readonly socket: boolean;
}

export interface Explained {
  readonly answer: Answer;
  /** The map entries that led there, in the order they were met; for people. */
  readonly entries: readonly string[];
}

const { DEVICE_UPLINK, DEVICE_POD, DEVICE_OVERLAY, DEVICE_BRIDGE, DEVICE_BRIDGE_PORT, DEVICE_LOCAL } = abi.DeviceFlags;
const AFFINITY = ["none", "begun", "kept"] as const;
const VERDICTS = ["pass", "dnat", "reject", "drop"] as const;
const CLIENTS = ["host", "pod", "outside", "untold"] as const;
const KINDS: Readonly<Record<number, string>> = {
  [abi.FrontendKind.FRONTEND_CLUSTER_IP]: "a ClusterIP",
  [abi.FrontendKind.FRONTEND_NODE_PORT]: "a NodePort",
  [abi.FrontendKind.FRONTEND_EXTERNAL_IP]: "an external IP",
  [abi.FrontendKind.FRONTEND_LOAD_BALANCER]: "a LoadBalancer address",
};

export class Explainer {
  readonly #programs: DryRuns;
  readonly #network: NetworkFacts | undefined;
  readonly #detectLocalMode: DetectLocalMode;
  readonly #facts: NodeFacts;
  readonly #devices: readonly DeviceState[];
  readonly #services: ReadonlyMap<number, ServiceState>;
  /** Address → `namespace/name` of pods whose sockets are not balanced. */
  readonly #optedOut: ReadonlyMap<Ip, string>;
  readonly #via: DeviceState | undefined;
  readonly #options: ExplainOptions;

  /** Reads the state once: all questions are answered from it. Throws QuestionError for a device that is not ours. */
  constructor(
    state: DatapathState,
    agent: AgentInfo,
    programs: DryRuns,
    network: NetworkFacts | undefined,
    options: ExplainOptions,
  ) {
    this.#programs = programs;
    this.#network = network;
    this.#detectLocalMode = detectLocalMode(agent.detectLocal);
    this.#options = options;
    this.#devices = state.devices();
    this.#services = new Map(state.services().map((service) => [service.id, service]));
    const optedOut = state.optedOut();
    this.#optedOut = new Map(
      optedOut.flatMap(({ namespace, name, addresses }) => addresses.map((ip) => [ip, `${namespace}/${name}`])),
    );
    this.#facts = {
      nodeAddresses: new Set(state.nodeAddresses().map(({ address }) => address)),
      podRanges: podRanges(agent),
      localEndpoints: new Set(localEndpoints(this.#services.values())),
      routes: (network?.routes ?? []).flatMap((route) => sourceRoute(route, this.#devices)),
    };
    this.#via = options.via === undefined ? undefined : this.#deviceNamed(options.via);
  }

  explain(question: Question): Explained {
    const { entry, device } = this.#enter(question.source);
    const asked = entry.socket ? this.#askSocket(question, entry) : this.#askWire(question, entry, device);
    const onWire = this.#whyOnWire(question, entry, asked);
    const said = onWire ? this.#askWire(question, entry, this.#podDevice(question.source)) : asked;
    const decision = this.#decision(question, said, entry);
    return {
      answer: composeAnswer(question, onWire === undefined ? entry : { ...entry, onWire }, decision),
      entries: usedEntries(question, said, decision, this.#services.get(said.service)),
    };
  }

  #enter(source: Ip): { readonly entry: Entry; readonly device: DeviceState | undefined } {
    const device = this.#via;
    if (device) {
      const client = device.flags & (DEVICE_UPLINK | DEVICE_OVERLAY) ? "outside" : "pod";
      return { entry: { client, device: this.#nameOf(device), socket: false }, device };
    }
    const client = clientKind(source, this.#facts);
    if (client === "host" || this.#options.socket) {
      return { entry: { client: client === "host" ? client : "pod", device: null, socket: true }, device };
    }
    const found = client === "outside" ? this.#uplink() : this.#podDevice(source);
    const named = found && client === "outside" ? this.#nameOf(found) : null;
    return { entry: { client, device: named, socket: false }, device: found };
  }

  /** Why the packets of a socket decide instead of its connect(); undefined: they do not. SCTP's meets no program at all. */
  #whyOnWire({ source, protocol }: Question, entry: Entry, asked: abi.Explanation): string | undefined {
    if (asked.onWire !== 0 && this.#services.get(asked.service)?.sources)
      return "which leaves source ranges to its packets";
    if (asked.onWire !== 0) return "which leaves this to its packets";
    const pod = this.#optedOut.get(source);
    if (!pod || !entry.socket || entry.client !== "pod" || protocol === "SCTP") return undefined;
    return `which leaves all to its packets: ${pod} is opted out of socket balancing`;
  }

  #uplink(): DeviceState | undefined {
    return this.#devices.find(({ flags }) => flags & DEVICE_UPLINK);
  }

  /** Without routes to tell, that of any pod: all of them count alike to detectLocalMode. */
  #podDevice(source: Ip): DeviceState | undefined {
    const ifindex = podDevice(source, this.#facts);
    return this.#devices.find((device) =>
      ifindex === undefined ? device.flags & DEVICE_POD : device.ifindex === ifindex,
    );
  }

  #askWire(question: Question, entry: Entry, device: DeviceState | undefined): abi.Explanation {
    const frame = craftPacket({
      ...question,
      source: packetAddress(question.source),
      destination: packetAddress(question.destination),
    });
    const place = entry.client === "outside" ? DEVICE_UPLINK : DEVICE_POD;
    const flags = place | ((device?.flags ?? 0) & DEVICE_LOCAL);
    const said = this.#programs.wire.run(frame, { ...(this.#via ?? NO_DEVICE), bridge: 0, flags });
    return this.#network ? said : withoutRoutes(said);
  }

  #askSocket(question: Question, entry: Entry): abi.Explanation {
    return this.#programs.socket.run({
      dst: ipToBytes(question.destination),
      port: question.destinationPort,
      proto: protocolNumber(question.protocol),
      who: entry.client === "host" ? abi.ClientKind.CLIENT_HOST : abi.ClientKind.CLIENT_POD,
      client: ipToBytes(question.source),
    });
  }

  #decision({ source }: Question, said: abi.Explanation, entry: Entry): Decision {
    const verdict = VERDICTS[said.verdict] ?? "pass";
    const service = this.#services.get(said.service);
    const chosen = verdict === "dnat" ? formatEndpoint(ipFromBytes(said.backendAddr), said.backendPort) : null;
    const client = CLIENTS[said.client] ?? entry.client;
    return {
      verdict,
      client,
      detectLocalMode: this.#detectLocalMode,
      dropReason: abi.dropReasonNames[said.reason] ?? String(said.reason),
      service: service && decidedService(service, said, client),
      kind: KINDS[said.kind] ?? "an address",
      chosen,
      // A process of the host sends from a node address whatever happens.
      masquerade: verdict === "dnat" && (said.masquerade !== 0 || entry.client === "host"),
      existing: said.existing !== 0,
      affinity: AFFINITY[said.affinity] ?? "none",
      policy: said.localSet ? "Local" : "Cluster",
      sourceRange: said.existing ? undefined : decidedRange(service?.sources, frontendKindOf(said.kind), source),
    };
  }

  #deviceNamed(name: string): DeviceState {
    const link = this.#network?.links.find((candidate) => candidate.name === name);
    const device = this.#devices.find(({ ifindex }) => ifindex === link?.ifindex);
    if (device) return device;
    const known = this.#devices.map((candidate) => this.#nameOf(candidate)).join(", ");
    throw new QuestionError(`--via ${name}: no device that Portolan serves; there are: ${known || "none"}`);
  }

  #nameOf({ ifindex }: DeviceState): string {
    return this.#network?.links.find((link) => link.ifindex === ifindex)?.name ?? `interface ${ifindex}`;
  }
}

const NO_DEVICE: abi.Device = {
  flags: 0,
  bridge: 0,
  snat4: new Uint8Array(16),
  snat6: new Uint8Array(16),
  mac: new Uint8Array(6),
};

/** Only the node's own routes tell which device, and so which SNAT address, a packet would leave by. */
function withoutRoutes(said: abi.Explanation): abi.Explanation {
  if (said.reason !== abi.DropReason.DROP_NO_SNAT_ADDRESS) return said;
  return { ...said, verdict: abi.Verdict.VERDICT_DNAT, reason: abi.DropReason.DROP_NONE };
}

function decidedService(service: ServiceState, said: abi.Explanation, client: Decision["client"]): DecidedService {
  const outsider = client === "outside" || client === "untold";
  const maglev = service.scheduler === "mh" || (service.scheduler === "default" && outsider && service.tableSize > 0);
  const set = said.localSet ? service.local : service.cluster;
  return {
    name: serviceName(service.key),
    endpoints: set.map(({ address, port }) => formatEndpoint(address, port)),
    scheduler: maglev ? "Maglev" : "random choice",
    affinitySeconds: service.affinitySeconds,
  };
}

function podRanges({ pods4, pods4Prefix, pods6, pods6Prefix }: AgentInfo): readonly Cidr[] {
  return [
    { address: ipFromBytes(pods4), prefixLength: pods4Prefix },
    { address: ipFromBytes(pods6), prefixLength: pods6Prefix },
  ].filter(({ prefixLength }) => prefixLength > 0);
}

function* localEndpoints(services: Iterable<ServiceState>): Generator<Ip> {
  for (const { cluster, local } of services) {
    for (const backend of [...cluster, ...local]) if (backend.local) yield backend.address;
  }
}

/** Default routes and routes of other types say nothing about pods. */
function sourceRoute(route: RouteInfo, devices: readonly DeviceState[]): readonly SourceRoute[] {
  if (!route.destination) return [];
  const device = devices.find(({ ifindex }) => ifindex === route.outputIfindex);
  const inside = DEVICE_POD | DEVICE_BRIDGE | DEVICE_BRIDGE_PORT;
  const toPods = device !== undefined && (device.flags & inside) !== 0 && (device.flags & DEVICE_UPLINK) === 0;
  const destination = { address: ipFromBytes(route.destination), prefixLength: route.prefixLength };
  return [{ destination, podDevice: toPods ? device.ifindex : undefined }];
}

/** As it stands in a packet: 4 or 16 bytes. */
function packetAddress(address: Ip): Uint8Array {
  const bytes = ipToBytes(address);
  return familyOf(address) === 4 ? bytes.subarray(12) : bytes;
}
