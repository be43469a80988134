// SPDX-License-Identifier: Apache-2.0
// Writes dual-stack Services for tests: one file per Service with its slices, renamed into place so that an agent never
// reads half of one.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DualAddress } from "../../src/demo/lab/plan.ts";

export interface Endpoint {
  readonly address: DualAddress;
  /** Default 8080. */
  readonly port?: number;
  readonly nodeName?: string;
}

export interface ServiceSpec {
  readonly name: string;
  /** Last part of all its addresses: 10.96.0.N, fd00:10:96::N, 198.51.100.N, ... */
  readonly number: number;
  /** Default 80, TCP and UDP. */
  readonly port?: number;
  readonly nodePort?: number;
  readonly external?: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly externalTrafficPolicy?: "Local";
}

/** The addresses of a Service with this number. */
export function serviceAddresses(number: number): {
  clusterIP: DualAddress;
  externalIP: DualAddress;
  loadBalancer: DualAddress;
} {
  return {
    clusterIP: { v4: `10.96.0.${number}`, v6: `fd00:10:96::${number}` },
    externalIP: { v4: `203.0.113.${number}`, v6: `2001:db8:113::${number}` },
    loadBalancer: { v4: `198.51.100.${number}`, v6: `2001:db8:51::${number}` },
  };
}

export function writeService(directory: string, spec: ServiceSpec): void {
  const items = [service(spec), slice(spec, "v4", "IPv4"), slice(spec, "v6", "IPv6")];
  const path = join(directory, `${spec.name}.json`);
  writeFileSync(`${path}.new`, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  renameSync(`${path}.new`, path);
}

export function removeService(directory: string, name: string): void {
  rmSync(join(directory, `${name}.json`));
}

const PORTS = [
  { name: "tcp", protocol: "TCP" },
  { name: "udp", protocol: "UDP" },
];

function service(spec: ServiceSpec): object {
  const { clusterIP, externalIP, loadBalancer } = serviceAddresses(spec.number);
  const both = (address: DualAddress) => [address.v4, address.v6];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: spec.name, namespace: "test", annotations: spec.annotations ?? {} },
    spec: {
      type: spec.external ? "LoadBalancer" : spec.nodePort === undefined ? "ClusterIP" : "NodePort",
      clusterIP: clusterIP.v4,
      clusterIPs: both(clusterIP),
      ipFamilies: ["IPv4", "IPv6"],
      ...(spec.external ? { externalIPs: both(externalIP) } : {}),
      ...(spec.externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy: spec.externalTrafficPolicy }),
      ports: PORTS.map((port) => ({
        ...port,
        port: spec.port ?? 80,
        ...(spec.nodePort === undefined ? {} : { nodePort: spec.nodePort }),
      })),
    },
    status: spec.external ? { loadBalancer: { ingress: both(loadBalancer).map((ip) => ({ ip })) } } : {},
  };
}

/** One slice for each backend port in use, as the endpoint slice controller would write them. */
function slice(spec: ServiceSpec, family: keyof DualAddress, addressType: string): object {
  const ports = new Set(spec.endpoints.map((endpoint) => endpoint.port ?? 8080));
  if (ports.size > 1) throw new Error(`${spec.name}: one backend port for each Service of a test`);
  const [port] = ports;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${spec.name}-${family}`,
      namespace: "test",
      labels: { "kubernetes.io/service-name": spec.name },
    },
    addressType,
    ports: PORTS.map((entry) => ({ ...entry, port: port ?? 8080 })),
    endpoints: spec.endpoints.map((endpoint) => ({
      addresses: [endpoint.address[family]],
      ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
      conditions: { ready: true },
    })),
  };
}
