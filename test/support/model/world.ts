// SPDX-License-Identifier: Apache-2.0
// What the reference model is told: manifests as people write them, the node's addresses, and one packet. The types name
// the fields that count and no others; null is absence, as Kubernetes has it.

type Optional<T> = T | null | undefined;
export type Protocol = "TCP" | "UDP" | "SCTP";
export type Policy = "Cluster" | "Local";

export interface Metadata {
  readonly name: string;
  readonly namespace?: Optional<string>;
  readonly labels?: Optional<Readonly<Record<string, string>>>;
  readonly annotations?: Optional<Readonly<Record<string, string>>>;
  /** RFC 3339 */
  readonly creationTimestamp?: Optional<string>;
}

export interface ServiceManifest {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: Metadata;
  readonly spec: {
    readonly type?: Optional<"ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName">;
    readonly clusterIP?: Optional<string>;
    readonly clusterIPs?: Optional<readonly string[]>;
    readonly externalIPs?: Optional<readonly string[]>;
    readonly externalName?: Optional<string>;
    readonly internalTrafficPolicy?: Optional<Policy>;
    readonly externalTrafficPolicy?: Optional<Policy>;
    readonly ports: readonly {
      readonly name?: Optional<string>;
      readonly protocol?: Optional<Protocol>;
      readonly port: number;
      readonly nodePort?: Optional<number>;
    }[];
  };
  readonly status?: Optional<{
    readonly loadBalancer?: Optional<{
      readonly ingress?: Optional<
        readonly {
          readonly ip?: Optional<string>;
          readonly hostname?: Optional<string>;
          readonly ipMode?: Optional<"VIP" | "Proxy">;
        }[]
      >;
    }>;
  }>;
}

export interface EndpointManifest {
  readonly addresses: readonly string[];
  readonly nodeName?: Optional<string>;
  readonly zone?: Optional<string>;
  readonly conditions?: Optional<{
    readonly ready?: Optional<boolean>;
    readonly serving?: Optional<boolean>;
    readonly terminating?: Optional<boolean>;
  }>;
  readonly hints?: Optional<{
    readonly forNodes?: Optional<readonly { readonly name: string }[]>;
    readonly forZones?: Optional<readonly { readonly name: string }[]>;
  }>;
}

export interface SliceManifest {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly ports: readonly {
    readonly name?: Optional<string>;
    readonly protocol?: Optional<Protocol>;
    readonly port?: Optional<number>;
  }[];
  readonly endpoints: readonly EndpointManifest[];
}

export interface NodeManifest {
  readonly apiVersion: "v1";
  readonly kind: "Node";
  readonly metadata: Metadata;
}

export interface NodeAddress {
  readonly address: string;
  readonly loopback: boolean;
  /** NodePorts are served on it. */
  readonly nodePort: boolean;
}

export interface World {
  readonly services: readonly ServiceManifest[];
  readonly slices: readonly SliceManifest[];
  readonly nodes: readonly NodeManifest[];
  /** The name of the node that all questions are about. */
  readonly here: string;
  readonly addresses: readonly NodeAddress[];
  readonly masqueradeAll: boolean;
}

/** The first packet of a connection. */
export interface Packet {
  /** Where it is met: at tc ingress of a device, or as a local process's connect() or first datagram. */
  readonly hook: "wire" | "socket";
  /** A process of the node has no wire: its packets pass no tc ingress. Whoever is outside has no socket here. */
  readonly client: "host" | "pod" | "outside";
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface Backend {
  /** endpointText() of it. */
  readonly endpoint: string;
  /** Whether it sees a node address when it is the one chosen. */
  readonly masquerade: boolean;
}

export interface Verdict {
  /** pass: no Service's; dnat: to any of the backends; reject: ICMP or ECONNREFUSED; drop: silence or EHOSTUNREACH. */
  readonly verdict: "pass" | "dnat" | "reject" | "drop";
  /** "namespace/name", with ":port" if the port has a name; undefined with pass. */
  readonly service: string | undefined;
  /** Every one that may be chosen; only with dnat. */
  readonly backends: readonly Backend[];
}
