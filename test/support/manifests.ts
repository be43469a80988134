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
  /** Default: ready. */
  readonly conditions?: Readonly<Record<"ready" | "serving" | "terminating", boolean>>;
  readonly hints?: { readonly forNodes?: readonly Named[]; readonly forZones?: readonly Named[] };
}

interface Named {
  readonly name: string;
}

type Labels = Readonly<Record<string, string>>;

/** What all objects of Kubernetes have; the rest is the kind's. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
    readonly resourceVersion?: string;
  };
  readonly [field: string]: unknown;
}

export interface ServiceSpec {
  readonly name: string;
  /** Last part of all its addresses: 10.96.0.N, fd00:10:96::N, 198.51.100.N, ... */
  readonly number: number;
  /** Default 80. */
  readonly port?: number;
  /** Default TCP and UDP. */
  readonly protocols?: readonly ("TCP" | "UDP" | "SCTP")[];
  readonly nodePort?: number;
  readonly external?: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Labels;
  /** Of its slices, besides the name of the Service. */
  readonly sliceLabels?: Labels;
  readonly externalTrafficPolicy?: "Local";
  readonly internalTrafficPolicy?: "Local";
  readonly healthCheckNodePort?: number;
  /** sessionAffinity ClientIP with this timeout; default None. */
  readonly affinitySeconds?: number;
  readonly sourceRanges?: readonly string[];
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
  writeList(directory, spec.name, serviceObjects(spec));
}

/** The Service, then its slices. */
export function serviceObjects(spec: ServiceSpec): readonly KubeObject[] {
  return [service(spec), ...slices(spec, spec.name)];
}

/** Any objects in one file, which an agent takes as one change. */
export function writeObjects(directory: string, name: string, items: readonly object[]): void {
  writeList(directory, name, items);
}

/** Further slices of the Service, in a file of their own, with the endpoints of this spec. */
export function writeSlices(directory: string, spec: ServiceSpec, name: string): void {
  writeList(directory, name, slices(spec, name));
}

/** The Node object of this name. */
export function writeNode(
  directory: string,
  name: string,
  labels: Labels,
  podCIDRs: readonly string[] = [],
  own?: DualAddress,
): void {
  writeList(directory, `node-${name}`, [nodeObject(name, labels, podCIDRs, own)]);
}

export function nodeObject(
  name: string,
  labels: Labels,
  podCIDRs: readonly string[] = [],
  own?: DualAddress,
): KubeObject {
  const addresses = own && [own.v4, own.v6].map((address) => ({ type: "InternalIP", address }));
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: { podCIDRs }, status: { addresses } };
}

/** A ServiceCIDR of these ranges. */
export function writeServiceCidr(directory: string, name: string, cidrs: readonly string[]): void {
  const item = { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name }, spec: { cidrs } };
  writeList(directory, name, [item]);
}

function writeList(directory: string, name: string, items: readonly object[]): void {
  const path = join(directory, `${name}.json`);
  writeFileSync(`${path}.new`, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  renameSync(`${path}.new`, path);
}

export function removeService(directory: string, name: string): void {
  rmSync(join(directory, `${name}.json`));
}

function ports(spec: ServiceSpec): readonly { readonly name: string; readonly protocol: string }[] {
  return (spec.protocols ?? ["TCP", "UDP"]).map((protocol) => ({ name: protocol.toLowerCase(), protocol }));
}

function service(spec: ServiceSpec): KubeObject {
  const { clusterIP, externalIP, loadBalancer } = serviceAddresses(spec.number);
  const both = (address: DualAddress) => [address.v4, address.v6];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: spec.name,
      namespace: "test",
      annotations: spec.annotations ?? {},
      labels: spec.labels ?? {},
    },
    spec: {
      type: spec.external ? "LoadBalancer" : spec.nodePort === undefined ? "ClusterIP" : "NodePort",
      clusterIP: clusterIP.v4,
      clusterIPs: both(clusterIP),
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "RequireDualStack",
      ...(spec.external ? { externalIPs: both(externalIP) } : {}),
      ...(spec.externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy: spec.externalTrafficPolicy }),
      ...(spec.internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy: spec.internalTrafficPolicy }),
      ...(spec.sourceRanges === undefined ? {} : { loadBalancerSourceRanges: spec.sourceRanges }),
      ...(spec.healthCheckNodePort === undefined ? {} : { healthCheckNodePort: spec.healthCheckNodePort }),
      ...(spec.affinitySeconds === undefined ? {} : affinity(spec.affinitySeconds)),
      ports: ports(spec).map((port) => ({
        ...port,
        port: spec.port ?? 80,
        ...(spec.nodePort === undefined ? {} : { nodePort: spec.nodePort }),
      })),
    },
    status: spec.external ? { loadBalancer: { ingress: both(loadBalancer).map((ip) => ({ ip })) } } : {},
  };
}

function affinity(timeoutSeconds: number): object {
  return { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

function slices(spec: ServiceSpec, name: string): readonly KubeObject[] {
  return [slice(spec, name, "v4", "IPv4"), slice(spec, name, "v6", "IPv6")];
}

/** One slice for each backend port in use, as the endpoint slice controller would write them. */
function slice(spec: ServiceSpec, name: string, family: keyof DualAddress, addressType: string): KubeObject {
  const numbers = new Set(spec.endpoints.map((endpoint) => endpoint.port ?? 8080));
  if (numbers.size > 1) throw new Error(`${spec.name}: one backend port for each Service of a test`);
  const [port] = numbers;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${name}-${family}`,
      namespace: "test",
      labels: { "kubernetes.io/service-name": spec.name, ...spec.sliceLabels },
    },
    addressType,
    ports: ports(spec).map((entry) => ({ ...entry, port: port ?? 8080 })),
    endpoints: spec.endpoints.map((endpoint) => ({
      addresses: [endpoint.address[family]],
      ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
      conditions: endpoint.conditions ?? { ready: true },
      ...(endpoint.hints === undefined ? {} : { hints: endpoint.hints }),
    })),
  };
}
