// SPDX-License-Identifier: Apache-2.0
// What the pinned maps say, decoded: ids are followed, names and addresses are text. 64-bit counters are bigint.

import type { FrontendKind, Scheduler, ServiceKey, SourceFilter } from "../../compile/state.ts";
import type { Family, Ip } from "../../model/ip.ts";
import type * as abi from "./abi.gen.ts";

export interface ServiceState {
  readonly id: number;
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  /** "" for a single unnamed port */
  readonly portName: string;
  /** "TCP", "UDP" */
  readonly protocol: string;
  readonly family: Family;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly scheduler: Scheduler;
  /** 0: no session affinity */
  readonly affinitySeconds: number;
  /** Entries of the affinity map with another epoch are void. */
  readonly affinityEpoch: number;
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  readonly hasAnyEndpoints: boolean;
  readonly endsConnections: boolean;
  /** In order: position i is slot i of a lookup table. */
  readonly cluster: readonly BackendState[];
  readonly local: readonly BackendState[];
  /** UDP: in neither set, but datagrams of a flow keep to them. */
  readonly serving: readonly BackendState[];
  /** Slots of the cluster set's Maglev table; 0: none. */
  readonly tableSize: number;
  readonly frontends: readonly FrontendState[];
  readonly stats: abi.ServiceStats;
  /** undefined: everybody is served. */
  readonly sources: SourceFilter | undefined;
}

export interface FrontendState {
  readonly kind: FrontendKind;
  /** The family's wildcard for a NodePort. */
  readonly address: Ip;
  readonly port: number;
  /** A ClusterIP that an interface of this node has. */
  readonly onNode?: true;
  readonly protocol: string;
  readonly serviceId: number;
  /** undefined: no such service (yet) */
  readonly service: ServiceKey | undefined;
}

/** A cell; services that give one endpoint another weight or state have cells of their own. */
export interface BackendState {
  readonly id: number;
  readonly address: Ip;
  readonly port: number;
  readonly protocol: string;
  readonly local: boolean;
  readonly terminating: boolean;
  readonly weight: number;
  /** "" unknown */
  readonly nodeName: string;
  /** "" unknown */
  readonly zone: string;
  /** Over all services that share the cell. */
  readonly connections: bigint;
}

/** One flow by its owner record. Ports in host order, times in seconds since boot. */
export interface FlowState {
  readonly protocol: string;
  readonly client: Ip;
  readonly clientPort: number;
  readonly vip: Ip;
  readonly vipPort: number;
  readonly backend: Ip;
  readonly backendPort: number;
  /** The client's port between our hooks; clientPort unless that tuple was taken. */
  readonly mappedPort: number;
  /** What the backend sees instead of the client. */
  readonly snat: { readonly address: Ip; readonly port: number } | undefined;
  readonly transit: boolean;
  /** No frontend: a direct connection whose tuple was taken. */
  readonly direct: boolean;
  readonly answered: boolean;
  /** abi.FlowState bits */
  readonly state: number;
  readonly serviceId: number;
  /** undefined: direct, or the service is gone */
  readonly service: ServiceKey | undefined;
  readonly backendId: number;
  readonly created: number;
  readonly lastSeen: number;
}

/** Which endpoint a client has by session affinity; void when expired or of another epoch than its service's. */
export interface AffinityState {
  /** undefined: known by its network namespace. */
  readonly client: Ip | undefined;
  /** Cookie; 0n: known by its address. */
  readonly netns: bigint;
  readonly serviceId: number;
  readonly epoch: number;
  readonly backend: Ip;
  readonly backendPort: number;
  /** Seconds since boot. */
  readonly lastUsed: number;
}

/** An address that the sockets of a network namespace were seen to use. */
export interface ClientNetnsState {
  readonly address: Ip;
  /** Cookie */
  readonly netns: bigint;
}

/** A pod whose sockets are not balanced. */
export interface OptedOutState {
  readonly namespace: string;
  readonly name: string;
  readonly by: "cgroup" | "netns";
  readonly addresses: readonly Ip[];
}

export interface DropState {
  /** abi.DropReason */
  readonly reason: number;
  /** "no_endpoints" */
  readonly name: string;
  readonly count: bigint;
}

export interface DeviceState extends abi.Device {
  readonly ifindex: number;
}

export interface NodeAddressState {
  readonly address: Ip;
  readonly nodePort: boolean;
  readonly loopback: boolean;
}

export interface AgentInfo extends abi.AgentState {
  /** "" unknown */
  readonly nodeName: string;
}

/** Entries there are against entries there can be, by map. */
export interface MapFill {
  readonly map: string;
  readonly used: number;
  readonly size: number;
  /** Full is its usual state: a new entry then takes the place of the one unused longest. */
  readonly evicts: boolean;
}

/** The pinned maps, read as they are at each call. Close it with `using` or dispose. */
export interface DatapathState extends Disposable {
  services(): readonly ServiceState[];
  frontends(): readonly FrontendState[];
  /** Those that some service in force names. */
  backends(): readonly BackendState[];
  /** Answered flows, then nascent ones. */
  flows(): IterableIterator<FlowState>;
  affinity(): readonly AffinityState[];
  clientNetns(): readonly ClientNetnsState[];
  /** One for each cgroup and network namespace that a pod is told by. */
  optedOut(): readonly OptedOutState[];
  drops(): readonly DropState[];
  devices(): readonly DeviceState[];
  nodeAddresses(): readonly NodeAddressState[];
  /** undefined: no agent has finished its start here. */
  agent(): AgentInfo | undefined;
  fill(): readonly MapFill[];
}
