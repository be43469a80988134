// SPDX-License-Identifier: Apache-2.0
// What compile hands to a datapath: services in the terms of traffic, with no Kubernetes object and no kernel in them.

import type { Cidr, Family, Ip } from "../model/ip.ts";
import type { FrontendKind, Protocol } from "../model/service.ts";

export type { FrontendKind } from "../model/service.ts";

/** `namespace/name:portName/TCP/IPv4`: one service port of one family; stable over restarts. */
export type ServiceKey = string & { readonly brand: "ServiceKey" };

export interface Frontend {
  readonly kind: FrontendKind;
  /** Undefined for a NodePort: served on every node address of the family. */
  readonly address: Ip | undefined;
  /** 1..65535 */
  readonly port: number;
  /** A ClusterIP that an interface of this node has: whoever listens there comes before the Service. */
  readonly onNode?: true;
}

/** One endpoint a new connection may be sent to. Identity is (address, port, protocol). */
export interface Member {
  readonly address: Ip;
  /** 1..65535 */
  readonly port: number;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  readonly local: boolean;
  readonly terminating: boolean;
  /** 1..65535; 1 unless the Service names weights. */
  readonly weight: number;
}

export type Scheduler = "default" | "random" | "mh";

/** The longest range that holds a client's address decides; a client in none of them is not served. */
export interface SourceRule {
  readonly range: Cidr;
  readonly admit: boolean;
}

/** Whom some frontends of a service port serve, endpoints or not (rows 44 and 45). */
export interface SourceFilter {
  /** Frontends of other kinds serve everybody. */
  readonly kinds: readonly FrontendKind[];
  /** All of the service's family, each range once. The unspecified address stands for the node's own processes. */
  readonly rules: readonly SourceRule[];
}

/** One service port of one family. Immutable; a change makes a new object. */
export interface CompiledService {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  /** "" for a single unnamed port. */
  readonly portName: string;
  readonly protocol: Protocol;
  readonly family: Family;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly frontends: readonly Frontend[];
  /** Endpoints for policy Cluster, local ones first, otherwise sorted by address and port bytes. */
  readonly cluster: readonly Member[];
  /** Endpoints for policy Local, same order; empty unless a policy is Local. */
  readonly local: readonly Member[];
  /**
   * Endpoints that serve but are in neither set, same order, where flows leave those that do not: UDP (row 58), and TCP
   * that endsConnections. Nothing new is sent there. Else empty: connections stay with their endpoint in any case.
   */
  readonly serving: readonly Member[];
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** Any node has a usable endpoint: an empty set then drops instead of rejecting (row 19). */
  readonly hasAnyEndpoints: boolean;
  readonly scheduler: Scheduler;
  /** Seconds after its last connection in which a client keeps its endpoint (rows 51, 52); 0: no session affinity. */
  readonly affinitySeconds: number;
  /** TCP only: connections end when their endpoint serves no more (row 61 by option). */
  readonly endsConnections: boolean;
  /** undefined: everybody is served. */
  readonly sources: SourceFilter | undefined;
  /** Where load balancers ask for this node's health (row 66): 1..65535. Absent: they do not. */
  readonly healthCheckNodePort?: number;
}

/**
 * A change of compiled state. Applied as a whole: upserts carry the complete new service, removes name what is gone.
 * A key is in at most one of the two. A frontend that moves between services appears in both services' upserts.
 */
export interface Delta {
  readonly upsert: readonly CompiledService[];
  readonly remove: readonly ServiceKey[];
  /** All addresses of Services that are not served here; they are left alone (row 46). Absent: the same as before. */
  readonly foreign?: ReadonlySet<Ip>;
  /** Not all that is wanted could be read: what is not named may be somebody's all the same, and nothing is refused. */
  readonly partial?: boolean;
}
