// SPDX-License-Identifier: Apache-2.0
// Where traffic to the frontends of a service port goes (rows 15 to 19, 31, 33 to 37): the policy, once for all drivers that
// write rules. Pure.

import type { CompiledService, Frontend, Member } from "../../compile/state.ts";

/** Where a new connection goes: to one of these, or, if there are none, how it is refused. */
export interface Way {
  readonly members: readonly Member[];
  readonly otherwise: "reject" | "drop";
}

/** By who asks. */
export interface Ways {
  /** Of the ClusterIP, whoever asks. */
  readonly internal: Way;
  /** Of all other frontends: pods of this node or cluster (Surroundings.localClients), unmasqueraded if policy is Local. */
  readonly pods: Way;
  /** Processes of the node, masqueraded. */
  readonly host: Way;
  /** Everybody else: masqueraded unless keepsSource. */
  readonly outside: Way;
  /** Policy Local: outsiders are not masqueraded, nor are pods; otherwise everybody is. */
  readonly keepsSource: boolean;
}

export function waysOf(service: CompiledService): Ways {
  const cluster: Way = { members: service.cluster, otherwise: "reject" };
  const local: Way = { members: service.local, otherwise: service.hasAnyEndpoints ? "drop" : "reject" };
  return {
    internal: service.internalLocal ? local : cluster,
    pods: cluster,
    host: cluster,
    outside: service.externalLocal ? local : cluster,
    keepsSource: service.externalLocal,
  };
}

/** Frontends that the policy for outsiders is for. */
export function isExternal({ kind }: Frontend): boolean {
  return kind !== "ClusterIP";
}
