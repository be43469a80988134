// SPDX-License-Identifier: Apache-2.0
// Who asks a Service while the node changes: a pod by its packets and by its sockets, and a client outside, in both families.

import type { Lab } from "../../src/demo/lab/lab.ts";
import type { LabOptions } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { compileProgram } from "./compile.ts";
import { serviceAddresses, writeService } from "./manifests.ts";
import { serveRush, startRush } from "./rush.ts";

const NUMBER = 10;
const NODE_PORT = 30_080;
const CLIENT = "p1a";
const SERVER = "p1b";

/** For useLab(). */
export const THREE_CLIENTS_PLAN: LabOptions = { nodes: [{ name: "n1", routedPods: [CLIENT, SERVER] }] };

export interface Crowd {
  /** New connections a second, of all three. */
  readonly rate: number;
  /** Long ones of each, to each of two families. */
  readonly streams: number;
}

/** The Service that they ask, with one endpoint. */
export function writeAsked(lab: Lab, manifests: string): void {
  const endpoints = [{ address: lab.pod(SERVER).address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: NUMBER, protocols: ["TCP"], nodePort: NODE_PORT, endpoints });
}

/** Resolves once all have begun. */
export async function startThreeClients(lab: Lab, { rate, streams }: Crowd): Promise<readonly LabProcess[]> {
  const program = compileProgram("rush", lab.plan.directory);
  await serveRush(lab, lab.pod(SERVER), program);
  const { v4, v6 } = serviceAddresses(NUMBER).clusterIP;
  const node = lab.node("n1").address;
  const inside = { program, streams, targets: [v4, "80", v6, "80"] };
  const outside = { ...inside, targets: [node.v4, String(NODE_PORT), node.v6, String(NODE_PORT)] };
  const share = (part: number): number => Math.round(rate * part);
  return await Promise.all([
    startRush(lab, lab.pod(CLIENT), { ...inside, rate: share(0.4) }),
    startRush(lab, lab.pod(CLIENT), { ...inside, rate: share(0.3), socketBalancing: true }),
    startRush(lab, lab.client, { ...outside, rate: share(0.3) }),
  ]);
}
