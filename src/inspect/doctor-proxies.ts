// SPDX-License-Identifier: Apache-2.0
// What `doctor` asks about others that serve Services on this node: before an agent's first start too. Pure.

import { CGROUP_HOOKS } from "../datapath/ebpf/programs.ts";
import type { Others } from "../datapath/others.ts";
import type { Check, Finding } from "./doctor-types.ts";

export const PROXIES: Check = {
  name: "service-proxies",
  look: ({ others, sockets }) => lookAtOthers(others, sockets),
};

type Found = readonly Omit<Finding, "check">[];

/** sockets: hooks of ours, as NodeState has them. */
export function lookAtOthers(others: Others | undefined, sockets: readonly string[]): Found {
  return others ? [...kubeProxy(others, sockets), ...byPrograms(others)] : [];
}

function kubeProxy({ kubeProxy }: Others, sockets: readonly string[]): Found {
  const blind = kubeProxy.unseen.map((reason) => ({
    severity: "warning" as const,
    what: `whether a kube-proxy serves this node cannot be seen whole: ${reason}`,
    do: "run this where iptables and nft are installed and may list rules",
  }));
  const { rules, listening } = kubeProxy;
  if (rules.length === 0) return blind;
  const places = rules.map(({ mode, places }) => `mode ${mode}: ${places.join(", ")}`).join("; ");
  const runs = listening ? "something listens on its ports" : "nothing listens on its ports";
  const what = `a kube-proxy's rules are at work on this node (${places}; ${runs})`;
  const served = CGROUP_HOOKS.some((hook) => sockets.includes(hook));
  return [...blind, served ? { severity: "warning", what, do: BESIDE } : { severity: "error", what, do: BEFORE }];
}

const BEFORE =
  "remove kube-proxy and its rules (`kube-proxy --cleanup`), or start the agent with --take-over; without, it refuses to begin";
const BESIDE =
  "our hooks come first, so what is served here goes through them; stop kube-proxy, and an agent with --take-over removes the rules";

export function byPrograms({ programs }: Others): Found {
  return programs.map(({ name, places, advice }) => ({
    severity: "error",
    what: `${name} serves Services on this node (${places.join(", ")}), and two cannot`,
    do: advice,
  }));
}
