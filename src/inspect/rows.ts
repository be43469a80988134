// SPDX-License-Identifier: Apache-2.0
// The rows of every listing: their JSON is the stable interface of `-o json` (docs/cli.md), so names here are public.
// Addresses are text, `a.b.c.d:port` or `[v6]:port`; a service is `namespace/name:port`, without the colon if unnamed.

export type TrafficPolicy = "Cluster" | "Local";

/** One service port of one family. */
export interface ServiceRow {
  readonly service: string;
  readonly protocol: string;
  readonly family: "IPv4" | "IPv6";
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  /** A NodePort stands under the family's wildcard: `0.0.0.0:30080`, `[::]:30080`. */
  readonly frontends: readonly string[];
  readonly scheduler: "default" | "random" | "mh";
  /** Seconds after its last connection in which a client keeps its endpoint; null: no session affinity. */
  readonly affinitySeconds: number | null;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly endpoints: { readonly local: number; readonly total: number };
  /** Since the service got its place in the kernel: connections chosen, packets and bytes on the wire path both ways. */
  readonly connections: number;
  readonly packets: number;
  readonly bytes: number;
  /** New connections refused: for want of an endpoint, or because the client is in no source range. */
  readonly rejects: number;
}

/** One rule of those that say whom a service port of one family serves; the longest range that holds a client decides. */
export interface SourceRow {
  readonly service: string;
  readonly protocol: string;
  readonly family: "IPv4" | "IPv6";
  /** Of the frontends that it holds for. */
  readonly kinds: readonly FrontendRow["kind"][];
  /** null: the node's own processes. Clients in no range are denied. */
  readonly range: string | null;
  readonly verdict: "admit" | "deny";
}

/** One endpoint of one service port. */
export interface BackendRow {
  readonly service: string;
  readonly protocol: string;
  readonly endpoint: string;
  readonly node: string | null;
  readonly zone: string | null;
  readonly local: boolean;
  readonly state: "ready" | "terminating";
  readonly weight: number;
  /** Of the endpoint, over all services that share it. */
  readonly connections: number;
  /** 0..1 of the connections of this service's endpoints; null before the first connection. */
  readonly share: number | null;
  /** 0..1: what the scheduler gives; null when internal and external traffic have different endpoints. */
  readonly expectedShare: number | null;
}

export interface FrontendRow {
  readonly frontend: string;
  readonly protocol: string;
  readonly kind: "ClusterIP" | "NodePort" | "ExternalIP" | "LoadBalancer";
  /** null for a moment, while its service is being changed. */
  readonly service: string | null;
}

/** One connection on the wire path; connections of local sockets have no record. */
export interface FlowRow {
  readonly protocol: string;
  readonly client: string;
  readonly vip: string;
  readonly backend: string;
  /** What the backend sees as its client; null when it sees the client itself. */
  readonly snat: string | null;
  /** new: nobody has answered yet. */
  readonly state: "new" | "established" | "closing" | "closed";
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  /** null: a direct connection that had to give up its port to a Service's. */
  readonly service: string | null;
}

/** A client that keeps to an endpoint of a service port. */
export interface AffinityRow {
  /** Its address; a pod whose sockets were seen to use several has one row, with all of them. */
  readonly client: string;
  readonly service: string;
  readonly protocol: string;
  readonly endpoint: string;
  /** Since its last new connection. */
  readonly idleSeconds: number;
  /** Until it is forgotten, unless there is another new connection. */
  readonly expiresInSeconds: number;
}

export interface DropRow {
  readonly reason: string;
  /** Packets, or connect() calls of local sockets. */
  readonly count: number;
  readonly explanation: string;
}

/** One variable that a pod is started with, of those that name Services. */
export interface EnvRow {
  readonly name: string;
  readonly value: string;
  readonly service: string;
}

/** One record of cluster DNS. */
export interface DnsRow {
  /** Absolute, with a dot at its end. */
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "PTR" | "SRV" | "TXT";
  /** As in a zone file. */
  readonly value: string;
  /** Whose it is; null: of the zone itself. */
  readonly service: string | null;
}

/** One thing that is not in the kernel as it is wanted there. */
export interface DifferenceRow {
  /** null: a frontend that leads to no service. */
  readonly service: string | null;
  /** "" of a rule. */
  readonly protocol: string;
  /** null of a rule. */
  readonly family: "IPv4" | "IPv6" | null;
  readonly what: /** Of a mode of rules: something is not as it was written. */
    | "rule"
    | "service"
    | "type"
    | "scheduler"
    | "maglevTable"
    | "affinitySeconds"
    | "internalTrafficPolicy"
    | "externalTrafficPolicy"
    | "endpointsAnywhere"
    | "endsConnections"
    | "sourceRangesOf"
    | "frontend"
    | "sourceRange"
    | "clusterEndpoint"
    | "localEndpoint"
    | "servingEndpoint";
  /** Of the frontend, range, endpoint or rule; null for what a service port has one of. */
  readonly name: string | null;
  /** null: it is not to be there. */
  readonly wanted: string | null;
  /** null: it is not there. */
  readonly found: string | null;
}
