// SPDX-License-Identifier: Apache-2.0
// Several clients of a cluster ask the same at once: who answered each of them, or why nobody did.
import { openState } from "../../src/datapath/ebpf/state.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import type { Cluster } from "./cluster.ts";
import { hostOf } from "./paths.ts";

/** wire: its packets meet the tc programs alone. */
export type Asker = readonly [name: string, by: "wire" | "socket"];

export function clientOf(cluster: Cluster, [name, by]: Asker): Promise<TrafficAgent> {
  return cluster[by](hostOf(cluster.lab, name));
}

/** By asker, such as `p1a by wire`: how often who answered, and which errors. */
export async function askAll(
  cluster: Cluster,
  askers: readonly Asker[],
  what: (client: TrafficAgent) => ReturnType<TrafficAgent["tcp"]>,
): Promise<Readonly<Record<string, object>>> {
  const told = askers.map(async (asker) => {
    const { pods, failures } = await what(await clientOf(cluster, asker));
    return [asker.join(" by "), { ...pods, ...failures }] as const;
  });
  return Object.fromEntries(await Promise.all(told));
}

/** The same outcome for all of them. */
export function each(askers: readonly Asker[], outcome: object): Readonly<Record<string, object>> {
  return Object.fromEntries(askers.map((asker) => [asker.join(" by "), outcome]));
}

/** How often the node had this reason to drop something. */
export function dropsOf(node: NodeHost, reason: string): number {
  using state = openState(node.bpffs);
  return Number(state.drops().find(({ name }) => name === reason)?.count);
}

/** Of three TCP connections and three datagrams from an address of the client's to each host's port 9000: who answered. */
export async function answersTo(
  cluster: Cluster,
  localAddress: string,
  hosts: readonly string[],
): Promise<Readonly<Record<string, object>>> {
  const client = await cluster.wire(cluster.lab.client);
  const answers: Record<string, object> = {};
  for (const name of hosts) {
    const address = hostOf(cluster.lab, name).address[localAddress.includes(":") ? "v6" : "v4"];
    const asked = { address, port: 9000, localAddress, count: 3, timeoutMs: 2000 };
    answers[name] = { tcp: (await client.tcp(asked)).pods, udp: (await client.udp(asked)).pods };
  }
  return answers;
}
