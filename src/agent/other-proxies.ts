// SPDX-License-Identifier: Apache-2.0
// What an agent does about others that serve Services on its node.

import type { OptedOutTable } from "../datapath/ebpf/opted-out.ts";
import { datagramTimes } from "../datapath/netfilter/conntrack-times.ts";
import { keepTranslating, removeKubeProxyRules } from "../datapath/netfilter/kube-proxy.ts";
import { findKubeProxyHere, findKubeProxyIpvsHere, findOthers, ipvsThere, type Others } from "../datapath/others.ts";
import { BpfError } from "../libbpf/index.ts";
import type { OnEvent } from "../model/cluster-event.ts";
import { NodeError } from "./errors.ts";
import { KubeProxyKeeper, refuseKubeProxy } from "./kube-proxy-keeper.ts";
import type { Log } from "./log.ts";

/** Where BPF programs may not be listed, those of rules alone; told is said why. Rejects with BpfError. */
export async function findOthersByRules(bpffs: string, told: (reason: string) => void): Promise<Others> {
  try {
    return await findOthers(bpffs);
  } catch (error) {
    if (!(error instanceof BpfError) || error.code !== "EPERM") throw error;
    told(error.message);
    return { kubeProxy: await findKubeProxyHere(), programs: [] };
  }
}

/**
 * Throws NodeError where another serves Services on this node and nothing of ours does yet; Cilium and Calico with
 * --take-over too: what is taken away of theirs they put back, and theirs does not come after ours.
 */
export function refuseOthers({ kubeProxy, programs }: Others, takeOver: boolean): void {
  const [other] = programs;
  if (!other) {
    refuseKubeProxy(kubeProxy, takeOver);
    return;
  }
  throw new NodeError(
    `${other.name} serves Services on this node (${other.places.join(", ")}), and of two the one whose program runs last would decide at each hook; --take-over does not help, for it would put them back: ${other.advice}; nothing was changed`,
  );
}

/** sockets: those that our programs balance; undefined: rules of ours serve. The caller begins it, and disposes of it. */
export function keepKubeProxy(
  takeOver: boolean,
  sockets: OptedOutTable | undefined,
  onEvent: OnEvent,
  log: Log,
): KubeProxyKeeper {
  return new KubeProxyKeeper({
    takeOver,
    find: findKubeProxyHere,
    remove: async () => {
      const ipvs = await findKubeProxyIpvsHere();
      if (ipvs && ipvs.carried > 0) return { carried: ipvs.carried };
      if (sockets) await keepTranslating();
      return await removeKubeProxyRules(ipvs);
    },
    setDatagramsOnWire: (onWire) => {
      if (sockets) sockets.datagramsOnWire = onWire;
    },
    ipvsThere,
    setSocketsOnWire: (onWire) => {
      if (sockets) sockets.socketsOnWire = onWire;
    },
    streamMs: datagramTimes().streamMs,
    onEvent,
    log,
  });
}
