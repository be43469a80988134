// SPDX-License-Identifier: Apache-2.0
// The Services that the packet tables send to, alike in both families. topology.ts says where the addresses are.

import { BlockFlags } from "../../../src/datapath/ebpf/abi.gen.ts";
import type { FrontendKind, Service } from "./world.ts";

interface Row {
  readonly name: string;
  readonly proto: "tcp" | "udp" | "sctp";
  readonly kind: FrontendKind;
  /** What stands behind the family's VIP prefix: "1:80" is 10.96.0.1:80 and [fd00:96::1]:80. */
  readonly frontend: string;
  readonly endpoints: readonly Place[];
  readonly local?: number;
  readonly flags?: number;
  readonly stale?: boolean;
}

/** Where an endpoint is, and its port. */
type Place = `${keyof typeof places}:${number}`;

const places = {
  node: ["192.0.2.1", "2001:db8:2::1"],
  client: ["10.0.0.10", "fd00::10"],
  server: ["10.0.0.20", "fd00::20"],
  portA: ["10.0.1.10", "fd00:1::10"],
  portB: ["10.0.1.20", "fd00:1::20"],
  unresolved: ["10.0.1.30", "fd00:1::30"],
  remote: ["192.0.2.20", "2001:db8:2::20"],
  overlay: ["10.200.0.20", "fd00:200::20"],
  tunnel: ["10.210.0.20", "fd00:210::20"],
  unrouted: ["198.51.100.66", "2001:db8:66::66"],
} as const;

const prefixes: Readonly<Record<FrontendKind, readonly [v4: string, v6: string]>> = {
  ClusterIP: ["10.96.0.", "fd00:96::"],
  NodePort: ["0.0.0.", "::"],
  externalIP: ["198.51.100.", "2001:db8:51::"],
  LoadBalancer: ["198.18.0.", "2001:db8:18::"],
};

const rows: readonly Row[] = [
  { name: "web", proto: "tcp", kind: "ClusterIP", frontend: "1:80", endpoints: ["server:8080"] },
  { name: "dns", proto: "udp", kind: "ClusterIP", frontend: "1:53", endpoints: ["server:5353"] },
  { name: "twin", proto: "tcp", kind: "ClusterIP", frontend: "2:80", endpoints: ["server:8080"] },
  { name: "twin-dns", proto: "udp", kind: "ClusterIP", frontend: "2:53", endpoints: ["server:5353"] },
  { name: "self", proto: "tcp", kind: "ClusterIP", frontend: "3:80", endpoints: ["client:8080"] },
  { name: "bridged", proto: "tcp", kind: "ClusterIP", frontend: "4:80", endpoints: ["portB:8080"] },
  { name: "bridged-self", proto: "tcp", kind: "ClusterIP", frontend: "5:80", endpoints: ["portA:8080"] },
  { name: "unresolved", proto: "tcp", kind: "ClusterIP", frontend: "6:80", endpoints: ["unresolved:8080"] },
  {
    name: "away-inside",
    proto: "tcp",
    kind: "ClusterIP",
    frontend: "7:80",
    endpoints: ["remote:8080"],
    local: 0,
    flags: BlockFlags.BLOCK_INTERNAL_LOCAL,
  },
  { name: "stale", proto: "tcp", kind: "ClusterIP", frontend: "8:80", endpoints: [], stale: true },
  { name: "nobody", proto: "tcp", kind: "ClusterIP", frontend: "9:80", endpoints: [] },
  { name: "nobody-dns", proto: "udp", kind: "ClusterIP", frontend: "9:53", endpoints: [] },
  { name: "port", proto: "tcp", kind: "NodePort", frontend: "0:30080", endpoints: ["server:8080"] },
  { name: "port-dns", proto: "udp", kind: "NodePort", frontend: "0:30053", endpoints: ["server:5353"] },
  { name: "far", proto: "tcp", kind: "NodePort", frontend: "0:30081", endpoints: ["remote:8080"] },
  { name: "far-dns", proto: "udp", kind: "NodePort", frontend: "0:30054", endpoints: ["remote:5353"] },
  {
    name: "local",
    proto: "tcp",
    kind: "NodePort",
    frontend: "0:30082",
    endpoints: ["server:8080", "remote:8080"],
    local: 1,
    flags: BlockFlags.BLOCK_EXTERNAL_LOCAL,
  },
  { name: "host", proto: "tcp", kind: "NodePort", frontend: "0:30084", endpoints: ["node:8080"] },
  { name: "unaddressed", proto: "tcp", kind: "NodePort", frontend: "0:30085", endpoints: ["tunnel:8080"] },
  { name: "unrouted", proto: "tcp", kind: "NodePort", frontend: "0:30083", endpoints: ["unrouted:8080"] },
  { name: "overlay", proto: "tcp", kind: "externalIP", frontend: "1:80", endpoints: ["overlay:8080"] },
  { name: "overlay-dns", proto: "udp", kind: "externalIP", frontend: "1:53", endpoints: ["overlay:5353"] },
  { name: "bridged-outside", proto: "tcp", kind: "externalIP", frontend: "3:80", endpoints: ["portB:8080"] },
  {
    name: "away",
    proto: "tcp",
    kind: "externalIP",
    frontend: "2:80",
    endpoints: ["remote:8080"],
    local: 0,
    flags: BlockFlags.BLOCK_EXTERNAL_LOCAL,
  },
  { name: "amf", proto: "sctp", kind: "ClusterIP", frontend: "1:38412", endpoints: ["server:36412"] },
  { name: "same-amf", proto: "sctp", kind: "ClusterIP", frontend: "2:36412", endpoints: ["server:36412"] },
  { name: "self-amf", proto: "sctp", kind: "ClusterIP", frontend: "3:38412", endpoints: ["client:36412"] },
  { name: "nobody-amf", proto: "sctp", kind: "ClusterIP", frontend: "9:38412", endpoints: [] },
  { name: "port-amf", proto: "sctp", kind: "NodePort", frontend: "0:30412", endpoints: ["server:36412"] },
  { name: "far-amf", proto: "sctp", kind: "NodePort", frontend: "0:30413", endpoints: ["remote:36412"] },
];

function place(text: Place, family: 4 | 6): string {
  const [name, port] = text.split(":") as [keyof typeof places, string];
  const address = places[name][family === 4 ? 0 : 1];
  return family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}

function frontend({ kind, frontend }: Row, family: 4 | 6): string {
  const [host, port] = frontend.split(":");
  const prefix = prefixes[kind][family === 4 ? 0 : 1];
  return family === 4 ? `${prefix}${host}:${port}` : `[${prefix}${host}]:${port}`;
}

function services(family: 4 | 6): readonly Service[] {
  return rows.map((row) => ({
    ...row,
    frontend: frontend(row, family),
    endpoints: row.endpoints.map((endpoint) => place(endpoint, family)),
  }));
}

export const services4: readonly Service[] = services(4);
export const services6: readonly Service[] = services(6);
