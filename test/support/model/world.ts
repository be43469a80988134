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
    readonly loadBalancerSourceRanges?: Optional<readonly string[]>;
    readonly sessionAffinity?: Optional<"ClientIP" | "None">;
    readonly sessionAffinityConfig?: Optional<{
      readonly clientIP?: Optional<{ readonly timeoutSeconds?: Optional<number> }>;
    }>;
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
  readonly spec?: Optional<{ readonly podCIDRs?: Optional<readonly string[]> }>;
  readonly status?: Optional<{
    readonly addresses?: Optional<
      readonly { readonly type: "InternalIP" | "ExternalIP" | "Hostname"; readonly address: string }[]
    >;
  }>;
}

export interface NodeAddress {
  readonly address: string;
  readonly loopback: boolean;
  /** NodePorts are served on it. */
  readonly nodePort: boolean;
}

/** Row 38: by what local pods on the wire are known; Device is our own, by what lies behind the device. */
export type DetectLocal =
  | { readonly mode: "Device" | "NodeCIDR" }
  | { readonly mode: "ClusterCIDR"; readonly cidrs: readonly string[] }
  | { readonly mode: "BridgeInterface" | "InterfaceNamePrefix"; readonly interface: string };

/** By which packets come in. */
export interface Interface {
  readonly name: string;
  /** The bridge it is a port of. */
  readonly bridge?: Optional<string>;
}

export interface World {
  readonly services: readonly ServiceManifest[];
  readonly slices: readonly SliceManifest[];
  readonly nodes: readonly NodeManifest[];
  /** The name of the node that all questions are about. */
  readonly here: string;
  readonly addresses: readonly NodeAddress[];
  readonly masqueradeAll: boolean;
  /** Row 46: that ClusterIPs come from. The node routes them as its default route goes, and its netfilter tracks. */
  readonly serviceRanges?: readonly string[];
  readonly detectLocal: DetectLocal;
  /** Of pods, and of clients outside. */
  readonly interfaces: Readonly<Record<"pod" | "outside", Interface>>;
}

/** The first packet of a connection. */
export interface Packet {
  /** Where it is met: at tc ingress of a device, or as a local process's connect() or first datagram. */
  readonly hook: "wire" | "socket";
  /** Where it comes from. A process of the node has no wire: its packets pass no tc ingress; who is outside, no socket. */
  readonly client: "host" | "pod" | "outside";
  /** Where not all of its kind come in by the world's one. */
  readonly cameBy?: Optional<Interface>;
  /** Of a process of the node: what its socket is bound to, or the first address of its Node object. */
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
  /** pass: no Service's; dnat: to any of the backends; reject: ICMP or ECONNREFUSED; drop: silence, or an error of connect(). */
  readonly verdict: "pass" | "dnat" | "reject" | "drop";
  /** Where it is decided: a pod's socket leaves what asks for its address to its packets (row 44). */
  readonly hook: Packet["hook"];
  /** A drop: by the client's address (row 44), not for want of an endpoint (row 33). */
  readonly bySource: boolean;
  /** "namespace/name", with ":port" if the port has a name; undefined with pass. */
  readonly service: string | undefined;
  /** Every one that may be chosen; only with dnat. */
  readonly backends: readonly Backend[];
}
