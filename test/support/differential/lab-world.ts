// SPDX-License-Identifier: Apache-2.0
// Random worlds whose endpoints really run: on the pods of the lab, two nodes and a client outside; and questions that
// sockets can ask there.

import fc from "fast-check";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { DualAddress, NodeHost } from "../../../src/demo/lab/plan.ts";
import { serviceAddresses } from "../manifests.ts";
import type { EndpointManifest, NodeManifest, Packet, ServiceManifest, SliceManifest, World } from "../model/world.ts";

/** The node that all questions reach first. */
const HERE = "n1";
const NUMBERS = [1, 2, 3, 4, 5] as const;
const NODE_PORT = 30200;
/** The servers of the lab listen there. */
const TARGET_PORT = 8080;

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

type Shape = ReturnType<typeof shapeOf> extends fc.Arbitrary<infer T> ? T : never;

const PODS = ["10.9.1.0/24", "fd00:9:1::/64"] as const;
const policies = { internalTrafficPolicy: "Cluster", externalTrafficPolicy: "Cluster" } as const;
const READY = { ready: true } as const;

function shapeOf(pods: readonly string[]) {
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
export function labWorlds(lab: Lab): fc.Arbitrary<World> {
  const names = lab.pods.map(({ name }) => name);
  return fc.tuple(...NUMBERS.map(() => shapeOf(names))).map((shapes) => worldOf(lab, shapes));
}

/** The world and the questions that meet each verdict, so that no seed misses one. */
export function everyVerdict(lab: Lab): [World, readonly LabQuestion[]] {
  const names = lab.pods.map(({ name }) => name);
  const shape = {
    pods: names,
    conditions: names.map(() => READY),
    hints: "none",
    external: true,
    ...policies,
    affinity: false,
    ranges: undefined,
    annotations: {},
  } as const;
  const elsewhere = { ...shape, pods: names.slice(-1), externalTrafficPolicy: "Local" } as const;
  const sticky = { ...shape, pods: ["p1b", "b1b", "p2a"], affinity: true, ranges: PODS };
  const world = worldOf(lab, [shape, { ...shape, pods: [] }, elsewhere, { ...shape, external: false }, sticky]);
  // The first: its sockets tell whose packets those of its address are (row 51).
  const known = (["v4", "v6"] as const).flatMap((family) =>
    (["p1a", "b1a"] as const).map((from): LabQuestion => {
      return { from, by: "socket", number: 5, frontend: "clusterIP", family, protocol: "UDP" };
    }),
  );
  const ranged = known.flatMap((question): readonly LabQuestion[] => [
    { ...question, from: "client", by: "wire", frontend: "loadBalancer" },
    { ...question, from: "n1", frontend: "loadBalancer" },
    { ...question, frontend: "loadBalancer" },
    { ...question, by: "wire" },
  ]);
  const questions = (["v4", "v6"] as const).flatMap((family) =>
    (["TCP", "UDP"] as const).flatMap((protocol) =>
      // Answered, refused, met with silence, and an address that is no frontend.
      [1, 2, 3, 4].map((number): LabQuestion => {
        return { from: "client", by: "wire", number, frontend: "loadBalancer", family, protocol };
      }),
    ),
  );
  return [world, [...known, ...questions, ...ranged]];
}

function worldOf(lab: Lab, shapes: readonly Shape[]): World {
  return {
    services: shapes.map((shape, i) => serviceOf(shape, NUMBERS[i] ?? 0)),
    slices: shapes.flatMap((shape, i) => slicesOf(lab, shape, NUMBERS[i] ?? 0)),
    nodes: lab.nodes.map(nodeOf),
    here: HERE,
    addresses: (["v4", "v6"] as const).map((family) => ({
      address: lab.node(HERE).address[family],
      loopback: false,
      nodePort: true,
    })),
    masqueradeAll: false,
    detectLocal: { mode: "Device" },
    interfaces: { pod: { name: "veth" }, outside: { name: "eth0" } },
  };
}

function nodeOf({ name, address }: NodeHost): NodeManifest {
  const labels = { "topology.kubernetes.io/zone": `zone-${name}` };
  const addresses = both(address).map((one) => ({ type: "InternalIP" as const, address: one }));
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, status: { addresses } };
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
  return (["v4", "v6"] as const).map((family) => ({
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
        hints: hints[shape.hints as keyof typeof hints],
      };
    }),
  }));
}

/** Who asks which frontend of which Service. */
export interface LabQuestion {
  readonly from: "client" | "p1a" | "b1a" | "n1";
  readonly by: "wire" | "socket";
  readonly number: number;
  readonly frontend: "clusterIP" | "externalIP" | "loadBalancer" | "nodePort";
  readonly family: keyof DualAddress;
  readonly protocol: "TCP" | "UDP";
}

export const labQuestions: fc.Arbitrary<readonly LabQuestion[]> = fc.array(
  fc
    .record({
      who: fc.constantFrom(
        ["client", "wire"] as const,
        ["client", "wire"] as const,
        ["p1a", "wire"] as const,
        ["b1a", "wire"] as const,
        ["p1a", "socket"] as const,
        ["n1", "socket"] as const,
      ),
      number: fc.constantFrom(...NUMBERS),
      frontend: fc.constantFrom("clusterIP", "externalIP", "loadBalancer", "nodePort"),
      family: fc.constantFrom("v4", "v6"),
      protocol: fc.constantFrom("TCP", "UDP"),
    })
    .map(({ who: [from, by], ...rest }): LabQuestion => ({ from, by, ...rest })),
  { minLength: 30, maxLength: 30 },
);

export function labPacket(lab: Lab, question: LabQuestion, source: DualAddress): Packet {
  const { from, by, number, frontend, family, protocol } = question;
  const node = frontend === "nodePort";
  return {
    hook: by,
    client: from === "client" ? "outside" : from === "n1" ? "host" : "pod",
    source: source[family],
    destination: node ? lab.node(HERE).address[family] : serviceAddresses(number)[frontend][family],
    port: node ? NODE_PORT + number : 80,
    protocol,
  };
}
