// SPDX-License-Identifier: Apache-2.0
// The ways through Services whose packets go from node to node, whatever carries them there, and what must be seen on each.
import { expect } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import type { Cluster } from "./cluster.ts";
import { type ServiceSpec, serviceAddresses } from "./manifests.ts";
import { type Carrier, carrierAddress } from "./overlay.ts";
import { hostOf } from "./paths.ts";

const BYTES = 500_000;

/** `near` has its endpoint on n1, `far` on n2, `far-host` in the network of n2 itself, `none` nowhere. */
export function carriedServices(lab: Lab): readonly ServiceSpec[] {
  const pod = (name: string) => [{ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName }];
  return [
    { name: "near", number: 1, nodePort: 30001, external: true, endpoints: pod("p1b") },
    { name: "far", number: 2, nodePort: 30002, external: true, endpoints: pod("p2a") },
    {
      name: "far-host",
      number: 3,
      nodePort: 30003,
      endpoints: [{ address: lab.node("n2").address, nodeName: "n2", port: 9090 }],
    },
    { name: "none", number: 4, nodePort: 30004, endpoints: [] },
  ];
}

export async function serveCarried(lab: Lab): Promise<void> {
  await lab.serve(lab.pod("p1b"));
  await lab.serve(lab.pod("p2a"));
  const n2 = lab.node("n2");
  await lab.serve(n2, { tcp: [9090], udp: [] });
  for (const family of ["v4", "v6"] as const) {
    await lab.serve(n2, { tcp: [], udp: [9090], address: n2.address[family] });
  }
}

/** By "carrierPort" a client asks a NodePort at the address that the device between the nodes has on n1. */
export interface CarriedWay {
  readonly from: "p1a" | "b1a" | "p2a" | "client" | "n1";
  readonly service: "near" | "far" | "far-host" | "none";
  readonly frontend: "clusterIP" | "nodePort" | "externalIP" | "loadBalancer" | "carrierPort";
  readonly answers: "p1b" | "p2a" | "n2" | "nobody";
  /** "client": the asker's own address; else that of n1's uplink, or of its device between the nodes. */
  readonly source: "client" | "uplink" | "carrier";
}

const way = (
  from: CarriedWay["from"],
  service: CarriedWay["service"],
  frontend: CarriedWay["frontend"],
  answers: CarriedWay["answers"],
  source: CarriedWay["source"],
): CarriedWay => ({ from, service, frontend, answers, source });

/** Replies come back by the device between the nodes, or by the uplink; some requests as well. */
export const CARRIED_WAYS: readonly CarriedWay[] = [
  way("p1a", "far", "clusterIP", "p2a", "client"),
  way("b1a", "far", "clusterIP", "p2a", "client"),
  way("n1", "far", "clusterIP", "p2a", "carrier"),
  way("client", "far", "clusterIP", "p2a", "carrier"),
  way("client", "far", "nodePort", "p2a", "carrier"),
  way("client", "far", "externalIP", "p2a", "carrier"),
  way("client", "far", "loadBalancer", "p2a", "carrier"),
  way("p1a", "far", "nodePort", "p2a", "carrier"),
  way("b1a", "far", "loadBalancer", "p2a", "carrier"),
  way("client", "near", "nodePort", "p1b", "uplink"),
  way("client", "far-host", "nodePort", "n2", "uplink"),
  way("p2a", "near", "carrierPort", "p1b", "uplink"),
  way("p2a", "far", "carrierPort", "p2a", "carrier"),
];

/** A process of the node itself has balanced sockets, everybody else is served on the wire. */
export function clientOf(cluster: Cluster, name: string): Promise<TrafficAgent> {
  const host = hostOf(cluster.lab, name);
  return name === "n1" ? cluster.socket(host) : cluster.wire(host);
}

export function carriedTarget(
  lab: Lab,
  { service, frontend }: Pick<CarriedWay, "service" | "frontend">,
  carrier: Carrier,
  family: keyof DualAddress,
): { readonly address: string; readonly port: number } {
  const spec = carriedServices(lab).find(({ name }) => name === service);
  if (spec?.nodePort === undefined) throw new Error(`no Service ${service} with a NodePort`);
  const n1 = lab.node("n1");
  if (frontend === "nodePort") return { address: n1.address[family], port: spec.nodePort };
  if (frontend === "carrierPort") return { address: carrierAddress(n1, carrier)[family], port: spec.nodePort };
  return { address: serviceAddresses(spec.number)[frontend][family], port: 80 };
}

/** TCP and UDP are answered by whom the way says, who sees whom it says; and half a megabyte goes each way. */
export async function expectCarried(
  cluster: Cluster,
  way: CarriedWay,
  carrier: Carrier,
  family: keyof DualAddress,
): Promise<void> {
  const { lab } = cluster;
  const n1 = lab.node("n1");
  const seen: Record<CarriedWay["source"], DualAddress> = {
    client: hostOf(lab, way.from).address,
    uplink: n1.address,
    carrier: carrierAddress(n1, carrier),
  };
  const served = { answered: 3, failures: {}, pods: { [way.answers]: 3 }, sources: { [seen[way.source][family]]: 3 } };
  const client = await clientOf(cluster, way.from);
  const target = { ...carriedTarget(lab, way, carrier, family), timeoutMs: 10_000 };
  expect(await client.tcp({ ...target, count: 3 })).toMatchObject(served);
  expect(await client.udp({ ...target, count: 3 })).toMatchObject(served);
  expect(await client.upload({ ...target, bytes: BYTES })).toMatchObject({ bytes: BYTES });
  expect(await client.download({ ...target, bytes: BYTES })).toMatchObject({ bytes: BYTES });
}
