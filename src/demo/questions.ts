// SPDX-License-Identifier: Apache-2.0
// What the demo asks: from where, for which address of the Service shop/web, and which source address the pods must see
// (rows 36 and 37 of the behaviour contract). Pure; examples/ holds the same addresses.

import type { Lab } from "./lab/lab.ts";
import type { DualAddress, Host, NodeHost, NodeOptions } from "./lab/plan.ts";

export const DEMO_NODES: readonly NodeOptions[] = [
  { name: "node-a", routedPods: ["web-1", "curl-a"], bridgedPods: ["web-2"] },
  { name: "node-b", routedPods: ["web-3", "curl-b"] },
];
export const WEB_PODS: readonly string[] = ["web-1", "web-2", "web-3"];
/** What the pods listen on: targetPort of examples/web-endpoints.yaml. */
export const POD_PORTS = { tcp: [8080], udp: [9000] } as const;

export type Protocol = "TCP" | "UDP";
export const PROTOCOLS: readonly Protocol[] = ["TCP", "UDP"];
export type Family = keyof DualAddress;

export interface Asker {
  readonly host: Host;
  readonly label: string;
  /** false: the hooks on sockets are not asked, its packets meet the programs on the devices. */
  readonly socketBalancing: boolean;
}

/** Asked once over TCP (HTTP) and once over UDP. */
export interface Question {
  readonly asker: Asker;
  readonly kind: string;
  readonly address: string;
  readonly ports: Readonly<Record<Protocol, number>>;
  /** Every source address that the pods may see. */
  readonly sources: readonly string[];
  /** In words: whose addresses those are. */
  readonly sourceOwner: string;
}

const FRONTENDS = {
  clusterIp: { v4: "10.96.0.80", v6: "fd00:10:96::80" },
  externalIp: { v4: "198.51.100.80", v6: "2001:db8:51::80" },
  loadBalancer: { v4: "203.0.113.80", v6: "2001:db8:113::80" },
};
const SERVICE_PORTS = { TCP: 80, UDP: 7 } as const;
const NODE_PORTS = { TCP: 30080, UDP: 30007 } as const;

export function askers(lab: Lab): Readonly<Record<"podA" | "podB" | "wire" | "nodeA" | "client", Asker>> {
  const pod = (name: string, label: string, socketBalancing = true): Asker => ({
    ...{ host: lab.pod(name), label, socketBalancing },
  });
  return {
    podA: pod("curl-a", "pod curl-a on node-a"),
    podB: pod("curl-b", "pod curl-b on node-b"),
    wire: pod("curl-a", "the same, by packets", false),
    nodeA: { host: lab.node("node-a"), label: "process of node-a", socketBalancing: true },
    client: { host: lab.client, label: "client outside", socketBalancing: true },
  };
}

/** Every question of the demo, family by family. */
export function questions(lab: Lab): readonly Question[] {
  const families: readonly Family[] = ["v4", "v6"];
  return families.flatMap((family) => questionsOf(lab, family));
}

function questionsOf(lab: Lab, family: Family): readonly Question[] {
  const { podA, podB, wire, nodeA, client } = askers(lab);
  const [a, b] = [lab.node("node-a"), lab.node("node-b")];
  const toService = (asker: Asker, kind: string, addresses: DualAddress, from: Sources): Question => ({
    ...{ asker, kind, address: addresses[family], ports: SERVICE_PORTS, ...from },
  });
  const toNodePort = (node: NodeHost): Question => ({
    ...{ asker: client, kind: "NodePort", address: node.address[family] },
    ...{ ports: NODE_PORTS, ...anAddressOf(node, family) },
  });
  return [
    ...[podA, wire, podB].map((asker) => toService(asker, "ClusterIP", FRONTENDS.clusterIp, itself(asker, family))),
    toService(nodeA, "ClusterIP", FRONTENDS.clusterIp, anAddressOf(a, family)),
    toNodePort(a),
    toNodePort(b),
    toService(client, "LoadBalancer", FRONTENDS.loadBalancer, anAddressOf(a, family)),
    toService(client, "externalIP", FRONTENDS.externalIp, anAddressOf(a, family)),
  ];
}

type Sources = Pick<Question, "sources" | "sourceOwner">;

function itself(asker: Asker, family: Family): Sources {
  return { sources: [asker.host.address[family]], sourceOwner: "the pod itself" };
}

/** The node's own address is that of the device towards the pod: the bridge's for bridged pods, else the uplink's. */
function anAddressOf(node: NodeHost, family: Family): Sources {
  const bridge = node.bridgeAddress[family].replace(/\/.*/, "");
  return { sources: [node.address[family], bridge], sourceOwner: node.name };
}
