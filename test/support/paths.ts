// SPDX-License-Identifier: Apache-2.0
// The Services and the ways through them that every packet path is tried on: routed and bridged pods, local and remote
// backends, hairpins, backends in a node's own network. With whom the backend sees (rows 36-39 of the behaviour contract).
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress, Firewall, Host } from "../../src/demo/lab/plan.ts";
import { type ServiceSpec, serviceAddresses } from "./manifests.ts";

/** A Service in front of each kind of backend; the backend port of host processes is 9090, of pods 8080. */
export function pathServices(lab: Lab): readonly ServiceSpec[] {
  const pod = (name: string) => [{ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName }];
  const node = (name: string) => [{ address: lab.node(name).address, nodeName: name, port: 9090 }];
  return [
    { name: "routed", number: 1, nodePort: 30001, external: true, endpoints: pod("p1b") },
    { name: "routed-self", number: 2, nodePort: 30002, endpoints: pod("p1a") },
    { name: "bridged", number: 3, nodePort: 30003, endpoints: pod("b1b") },
    { name: "bridged-self", number: 4, nodePort: 30004, endpoints: pod("b1a") },
    { name: "remote", number: 5, nodePort: 30005, external: true, endpoints: pod("p2a") },
    { name: "routed-twin", number: 6, endpoints: pod("p1b") },
    { name: "remote-host", number: 7, nodePort: 30007, endpoints: node("n2") },
    { name: "own-host", number: 8, nodePort: 30008, endpoints: node("n1") },
    { name: "client-itself", number: 9, nodePort: 30009, endpoints: [{ address: lab.client.address }] },
  ];
}

/** Starts the servers behind pathServices. */
export async function servePaths(lab: Lab): Promise<void> {
  await Promise.all([
    ...lab.pods.map((pod) => lab.serve(pod)),
    ...lab.nodes.flatMap((node) => [
      lab.serve(node, { tcp: [9090], udp: [] }),
      lab.serve(node, { tcp: [], udp: [9090], address: node.address.v4 }),
      lab.serve(node, { tcp: [], udp: [9090], address: node.address.v6 }),
    ]),
    lab.serve(lab.client),
  ]);
}

/** Who asks, which Service by which kind of frontend, who answers, and whom the backend sees. */
export interface Path {
  readonly from: string;
  readonly service: string;
  readonly frontend: "clusterIP" | "nodePort" | "externalIP" | "loadBalancer";
  readonly answers: string;
  /** "client": the asker's own address; "node": the uplink address of n1; "bridge": n1's address on cni0. */
  readonly source: "client" | "node" | "bridge";
}

const path = (
  from: string,
  service: string,
  frontend: Path["frontend"],
  answers: string,
  source: Path["source"],
): Path => ({ from, service, frontend, answers, source });

export const PATHS: readonly Path[] = [
  path("p1a", "routed", "clusterIP", "p1b", "client"),
  path("p1a", "routed-self", "clusterIP", "p1a", "node"),
  path("b1a", "bridged", "clusterIP", "b1b", "client"),
  path("b1a", "bridged-self", "clusterIP", "b1a", "bridge"),
  path("p1a", "bridged", "clusterIP", "b1b", "client"),
  path("b1a", "routed", "clusterIP", "p1b", "client"),
  path("p1a", "remote", "clusterIP", "p2a", "client"),
  path("b1a", "remote", "clusterIP", "p2a", "client"),
  path("p1a", "remote-host", "clusterIP", "n2", "client"),
  path("p1a", "own-host", "clusterIP", "n1", "client"),
  path("b1a", "own-host", "clusterIP", "n1", "client"),
  path("client", "routed", "nodePort", "p1b", "node"),
  path("client", "bridged", "nodePort", "b1b", "bridge"),
  path("client", "remote", "nodePort", "p2a", "node"),
  path("client", "remote-host", "nodePort", "n2", "node"),
  path("client", "own-host", "nodePort", "n1", "client"),
  path("client", "client-itself", "nodePort", "client", "node"),
  path("client", "routed", "clusterIP", "p1b", "node"),
  path("client", "routed", "externalIP", "p1b", "node"),
  path("client", "routed", "loadBalancer", "p1b", "node"),
  path("client", "remote", "externalIP", "p2a", "node"),
  path("client", "remote", "loadBalancer", "p2a", "node"),
  path("p1a", "remote", "nodePort", "p2a", "node"),
  path("p1a", "remote-host", "nodePort", "n2", "node"),
  path("p1a", "routed", "nodePort", "p1b", "node"),
  path("b1a", "bridged", "nodePort", "b1b", "bridge"),
  path("b1a", "remote", "loadBalancer", "p2a", "node"),
];

export function hostOf(lab: Lab, name: string): Host {
  if (name === "client") return lab.client;
  return lab.nodes.some((node) => node.name === name) ? lab.node(name) : lab.pod(name);
}

/** Where a path's client connects to. */
export function pathTarget(lab: Lab, way: Path, family: keyof DualAddress): { address: string; port: number } {
  const spec = pathServices(lab).find((service) => service.name === way.service);
  if (spec === undefined) throw new Error(`no Service ${way.service}`);
  if (way.frontend !== "nodePort")
    return { address: serviceAddresses(spec.number)[way.frontend][family], port: spec.port ?? 80 };
  if (spec.nodePort === undefined) throw new Error(`${way.service} has no nodePort`);
  return { address: lab.node("n1").address[family], port: spec.nodePort };
}

/** Behind a firewall the node masquerades what pods send to anything but pods, whoever chose the backend. */
export function expectedSource(lab: Lab, way: Path, family: keyof DualAddress, firewall: Firewall): string {
  const node = lab.node("n1");
  const leavesCluster = way.answers === "n2" && way.from !== "client" && firewall !== "none";
  if (way.source === "client") return leavesCluster ? node.address[family] : hostOf(lab, way.from).address[family];
  return way.source === "node" ? node.address[family] : node.bridgeAddress[family].replace(/\/.*/, "");
}
