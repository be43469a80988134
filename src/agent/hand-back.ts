// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup --hand-back`: a kube-proxy that runs again gets the node back without anybody's connection noticing. What
// begins is its own at once, what has begun goes on through our programs until it ends, then these go.

import { setTimeout as sleep } from "node:timers/promises";
import { LeavingEbpf } from "../datapath/ebpf/leaving.ts";
import { type Pins, serves } from "../datapath/ebpf/pins.ts";
import { openState } from "../datapath/ebpf/state.ts";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import { NetfilterError } from "../datapath/netfilter/command.ts";
import { datagramTimes } from "../datapath/netfilter/conntrack-times.ts";
import { clusterIpName, servedByKubeProxy } from "../datapath/netfilter/kube-proxy-services.ts";
import { findKubeProxyHere } from "../datapath/others.ts";
import { NodeError } from "./errors.ts";

const LOOK_MS = 1000;

export interface HandBackOptions {
  readonly bpffs: string;
  /** Give up after this, and leave things as they are then: nothing breaks. */
  readonly waitMs: number;
  /** Told of each step. */
  readonly say: (line: string) => void;
}

/**
 * Resolves with how many flows still go through our programs: 0, or what was left when the time was over. Throws NodeError
 * unless a kube-proxy serves every Service that we do. The lock on the pins is the caller's.
 */
export async function handBack(pins: Pins, { bpffs, waitMs, say }: HandBackOptions): Promise<number> {
  if (!serves(pins)) return 0;
  using state = openState(bpffs);
  const deadline = performance.now() + waitMs;
  const services = await waitForKubeProxy(state, deadline);
  using leaving = new LeavingEbpf(pins, datagramTimes);
  let { left, done } = leaving.look();
  say(`new connections are kube-proxy's from now on; its rules serve all ${services} ClusterIPs and ports`);
  let told: number | undefined;
  for (;;) {
    if (left !== told) say(`${left} flows still go through Portolan`);
    told = left;
    if (done) return 0;
    if (performance.now() >= deadline) return left;
    await sleep(LOOK_MS);
    ({ left, done } = leaving.look());
  }
}

/** Resolves with how many there are. */
async function waitForKubeProxy(state: DatapathState, deadline: number): Promise<number> {
  const ours = clusterIps(state);
  for (;;) {
    const { served: theirs, unseen } = await lookAtRules();
    const missing = [...ours].filter(([name]) => !theirs.has(name));
    if (missing.length === 0) return ours.size;
    if (performance.now() >= deadline) throw refusal(missing, ours.size, unseen);
    await sleep(LOOK_MS);
  }
}

/** What cannot be listed, as while kube-proxy is making it, serves nothing yet. */
async function lookAtRules(): Promise<{ readonly served: ReadonlySet<string>; readonly unseen: readonly string[] }> {
  const { rules, unseen } = await findKubeProxyHere();
  try {
    return { served: await servedByKubeProxy(rules), unseen };
  } catch (error) {
    if (!(error instanceof NetfilterError)) throw error;
    return { served: new Set(), unseen: [...unseen, error.message] };
  }
}

/** Those that a kube-proxy has rules for too, by name, with their Service. */
function clusterIps(state: DatapathState): ReadonlyMap<string, string> {
  const served = state.services().filter(({ cluster, internalLocal }) => cluster.length > 0 && !internalLocal);
  return new Map(
    served.flatMap(({ namespace, name, frontends }) =>
      frontends
        .filter(({ kind }) => kind === "ClusterIP")
        .map(
          ({ protocol, address, port }) => [clusterIpName(protocol, address, port), `${namespace}/${name}`] as const,
        ),
    ),
  );
}

function refusal(missing: readonly (readonly [string, string])[], of: number, unseen: readonly string[]): NodeError {
  const [[address, service] = ["", ""]] = missing;
  const blind = unseen.length > 0 ? ` (${unseen.join("; ")})` : "";
  return new NodeError(
    `no rules of a kube-proxy serve ${missing.length} of ${of} ClusterIPs and ports on this node, such as ${address} of Service ${service}${blind}: start kube-proxy, wait until it is ready, and ask again; nothing was changed. Without --hand-back everything goes at once, connections too`,
  );
}
