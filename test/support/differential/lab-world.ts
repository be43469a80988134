// SPDX-License-Identifier: Apache-2.0
// Random worlds whose endpoints really run: on the pods of the lab, two nodes and a client outside. Only the first node
// has an agent.

import fc from "fast-check";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { DualAddress, NodeHost } from "../../../src/demo/lab/plan.ts";
import { serviceAddresses } from "../manifests.ts";
import type {
  DetectLocal,
  EndpointManifest,
  NodeManifest,
  Policy,
  ServiceManifest,
  SliceManifest,
  World,
} from "../model/world.ts";

/** The node that all questions reach first. */
export const HERE = "n1";
export const LAB_FAMILIES = ["v4", "v6"] as const;
/** Of a world's Services, which have the numbers behind Setting.first. */
export const NUMBERS = [1, 2, 3, 4, 5] as const;
const NODE_PORT = 30200;
/** Of a ClusterIP. */
export const UNUSED_PORT = 81;
/** No Service has it, and the client outside a server there. */
export const NOBODYS: DualAddress = serviceAddresses(200).clusterIP;
export const SERVICE_RANGES = ["10.96.0.0/16", "fd00:10:96::/64"] as const;
/** The servers of the lab listen there. */
export const TARGET_PORT = 8080;

/** What a world has beside its Services. */
export interface Setting {
  /**
   * Before the numbers of its Services: no two worlds of a lab share an address or a NodePort, for a datagram from a
   * port that an earlier one has seen would go on as that flow does.
   */
  readonly first: number;
  readonly detectLocal: DetectLocal;
  readonly masqueradeAll: boolean;
  /** Of a ServiceCIDR. */
  readonly serviceRanges?: readonly string[];
}

const policy = fc.constantFrom("Cluster" as const, "Local" as const);
const conditions = fc.constantFrom(
  { ready: true },
  { ready: true },
  { ready: true },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: true, terminating: false },
);

/** Of row 44: some hold the client outside, the pods, or the node; one is of one family only. */
const ranges = fc.constantFrom<readonly string[] | undefined>(
  ...[undefined, undefined, undefined],
  ["192.168.50.10/32", "fd00:50::10/128"],
  ["10.9.1.0/24", "fd00:9:1::/64"],
  ["192.168.50.1/32", "fd00:50::1/128"],
  ["192.168.50.10/32"],
);
const annotations = fc.constantFrom<Readonly<Record<string, string>>>(
  ...[{}, {}, {}],
  { "portolan.dev/source-ranges-apply": "all" },
  { "portolan.dev/denied-source-ranges": "10.9.1.10/32, fd00:9:1::10/128" },
  { "portolan.dev/source-ranges-policy": "strict" },
);

/** One Service. */
export interface Shape {
  /** Its endpoints, by name. */
  readonly pods: readonly string[];
  readonly conditions: readonly EndpointManifest["conditions"][];
  readonly hints: "none" | "node" | "zone";
  readonly external: boolean;
  readonly internalTrafficPolicy: Policy;
  readonly externalTrafficPolicy: Policy;
  readonly affinity: boolean;
  readonly ranges: readonly string[] | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

function shapeOf(pods: readonly string[]): fc.Arbitrary<Shape> {
  return fc.record({
    pods: fc.constantFrom(pods, pods.slice(-1), pods.slice(0, -1)).chain((some) => fc.subarray([...some])),
    conditions: fc.array(conditions, { minLength: pods.length, maxLength: pods.length }),
    hints: fc.constantFrom("none", "none", "node", "zone"),
    external: fc.constantFrom(true, true, true, false),
    internalTrafficPolicy: policy,
    externalTrafficPolicy: policy,
    affinity: fc.boolean(),
    ranges,
    annotations,
  });
}

/** Of pods in the order of the lab; the last one is on another node. */
export function labShapes(lab: Lab): fc.Arbitrary<readonly Shape[]> {
  const names = lab.pods.map(({ name }) => name);
  return fc.tuple(...NUMBERS.map(() => shapeOf(names)));
}

export function worldOf(lab: Lab, shapes: readonly Shape[], setting: Setting): World {
  const { first, detectLocal, masqueradeAll, serviceRanges = [] } = setting;
  const numbered = shapes.map((shape, i) => [shape, first + (NUMBERS[i] ?? 0)] as const);
  return {
    services: numbered.map(([shape, number]) => serviceOf(shape, number)),
    slices: numbered.flatMap(([shape, number]) => slicesOf(lab, shape, number)),
    nodes: lab.nodes.map(nodeOf),
    here: HERE,
    addresses: LAB_FAMILIES.map((family) => ({
      address: lab.node(HERE).address[family],
      loopback: false,
      nodePort: true,
    })),
    masqueradeAll,
    serviceRanges,
    detectLocal,
    interfaces: { pod: { name: "veth" }, outside: { name: "eth0" } },
  };
}

export function nodePortOf({ first }: Setting, number: number): number {
  return NODE_PORT + first + number;
}

/** Of its ranges of pods, the first of each family counts (row 38). */
function nodeOf({ name, address, podRange }: NodeHost): NodeManifest {
  const labels = { "topology.kubernetes.io/zone": `zone-${name}` };
  const addresses = both(address).map((one) => ({ type: "InternalIP" as const, address: one }));
  const podCIDRs = [...both(podRange), "10.9.0.0/16", "fd00:9::/32"];
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: { podCIDRs }, status: { addresses } };
}

const both = ({ v4, v6 }: DualAddress) => [v4, v6];

function serviceOf(shape: Shape, number: number): ServiceManifest {
  const { clusterIP, externalIP, loadBalancer } = serviceAddresses(number);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `s${number}`, namespace: "test", annotations: shape.annotations },
    spec: {
      type: shape.external ? "LoadBalancer" : "ClusterIP",
      clusterIP: clusterIP.v4,
      clusterIPs: both(clusterIP),
      externalIPs: shape.external ? both(externalIP) : [],
      internalTrafficPolicy: shape.internalTrafficPolicy,
      externalTrafficPolicy: shape.externalTrafficPolicy,
      loadBalancerSourceRanges: shape.ranges,
      sessionAffinity: shape.affinity ? "ClientIP" : "None",
      ports: (["TCP", "UDP"] as const).map((protocol) => ({
        name: protocol.toLowerCase(),
        protocol,
        port: 80,
        nodePort: shape.external ? NODE_PORT + number : 0,
      })),
    },
    status: { loadBalancer: { ingress: shape.external ? both(loadBalancer).map((ip) => ({ ip })) : [] } },
  };
}

function slicesOf(lab: Lab, shape: Shape, number: number): readonly SliceManifest[] {
  return LAB_FAMILIES.map((family) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `s${number}-${family}`,
      namespace: "test",
      labels: { "kubernetes.io/service-name": `s${number}` },
    },
    addressType: family === "v4" ? "IPv4" : "IPv6",
    ports: (["TCP", "UDP"] as const).map((protocol) => ({
      name: protocol.toLowerCase(),
      protocol,
      port: TARGET_PORT,
    })),
    endpoints: shape.pods.map((name, i): EndpointManifest => {
      const { address, nodeName } = lab.pod(name);
      const hint = i % 2 === 0 ? nodeName : HERE;
      const hints = {
        node: { forNodes: [{ name: hint }] },
        zone: { forZones: [{ name: `zone-${hint}` }] },
        none: undefined,
      };
      return {
        addresses: [address[family]],
        nodeName,
        conditions: shape.conditions[i],
        hints: hints[shape.hints],
      };
    }),
  }));
}
