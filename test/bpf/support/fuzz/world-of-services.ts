// SPDX-License-Identifier: Apache-2.0
// The Services of the packet tables as manifests, so that the reference model can say what their packets must meet.

import { BlockFlags } from "../../../../src/datapath/ebpf/abi.gen.ts";
import { verdictOf } from "../../../support/model/model.ts";
import type { Packet, ServiceManifest, SliceManifest, Verdict, World } from "../../../support/model/world.ts";
import type { Service } from "../world.ts";

const NODE = "n1";
const NODE_ADDRESSES = ["192.0.2.1", "2001:db8:2::1"] as const;

const PROTOCOLS = { tcp: "TCP", udp: "UDP", sctp: "SCTP" } as const;

interface Place {
  readonly address: string;
  readonly port: number;
  readonly v6: boolean;
}

/** "10.0.0.1:80" or "[fd00::1]:80" */
export function placeOf(text: string): Place {
  const at = text.lastIndexOf(":");
  const address = text.slice(0, at).replace(/^\[|\]$/g, "");
  return { address, port: Number(text.slice(at + 1)), v6: address.includes(":") };
}

/** Where a packet to a Service goes. */
export function destinationOf({ kind, frontend }: Service): Place {
  const place = placeOf(frontend);
  return kind === "NodePort" ? { ...place, address: NODE_ADDRESSES[place.v6 ? 1 : 0] } : place;
}

/** Stale ones have no manifests: no state of the cluster leads to them. */
function manifestsOf(service: Service, index: number): readonly [ServiceManifest, SliceManifest] {
  const { name, kind, endpoints, local = endpoints.length, flags = 0 } = service;
  const { address, port, v6 } = placeOf(service.frontend);
  const full = `${name}-${v6 ? "v6" : "v4"}`;
  const clusterIP = kind === "ClusterIP" ? address : v6 ? `fd00:97::${index + 1}` : `10.97.0.${index + 1}`;
  const protocol = PROTOCOLS[service.proto];
  const policy = (bit: number) => ((flags & bit) === 0 ? "Cluster" : "Local");
  const ports = endpoints.map((endpoint) => placeOf(endpoint).port);
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: full },
      spec: {
        type: kind === "NodePort" ? "NodePort" : "ClusterIP",
        clusterIP,
        externalIPs: kind === "externalIP" ? [address] : [],
        internalTrafficPolicy: policy(BlockFlags.BLOCK_INTERNAL_LOCAL),
        externalTrafficPolicy: policy(BlockFlags.BLOCK_EXTERNAL_LOCAL),
        ports: [{ protocol, port: kind === "NodePort" ? 1 : port, nodePort: kind === "NodePort" ? port : 0 }],
      },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: full, labels: { "kubernetes.io/service-name": full } },
      addressType: v6 ? "IPv6" : "IPv4",
      ports: [{ protocol, port: ports[0] ?? 1 }],
      endpoints: endpoints.map((endpoint, i) => ({
        addresses: [placeOf(endpoint).address],
        nodeName: i < local ? NODE : "n2",
      })),
    },
  ];
}

export function worldOf(services: readonly Service[]): World {
  const manifests = services.filter(({ stale }) => stale !== true).map(manifestsOf);
  return {
    services: manifests.map(([service]) => service),
    slices: manifests.map(([, slice]) => slice),
    nodes: [],
    here: NODE,
    addresses: NODE_ADDRESSES.map((address) => ({ address, loopback: false, nodePort: true })),
    masqueradeAll: false,
    detectLocal: { mode: "Device" },
    interfaces: { pod: { name: "veth" }, outside: { name: "eth0" } },
  };
}

/** What the model says of a Service's packet that a client of this kind sends to it. */
export function verdictFor(world: World, service: Service, client: "pod" | "outside", source: string): Verdict {
  const { address, port } = destinationOf(service);
  const protocol = PROTOCOLS[service.proto];
  const packet: Packet = { hook: "wire", client, source, destination: address, port, protocol };
  return verdictOf(world, packet);
}
