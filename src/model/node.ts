// SPDX-License-Identifier: Apache-2.0
// A Node, reduced to its own addresses and its pods' ranges, which tell the host, its pods and the outside apart, to
// where it stands, and to whether it is about to go.

import type { Cidr, Ip } from "./ip.ts";

export interface Node {
  readonly kind: "Node";
  readonly name: string;
  /** status.addresses: those of type InternalIP, then ExternalIP; the first of a family is the node's own (row 44). */
  readonly addresses: readonly Ip[];
  readonly podCidrs: readonly Cidr[];
  /** The label topology.kubernetes.io/zone (row 20). */
  readonly zone: string | undefined;
  /** It is being deleted, or tainted ToBeDeletedByClusterAutoscaler (row 68). */
  readonly leaving: boolean;
}

/** This node, for what endpoints' places, hints and source ranges say. */
export type NodePlace = Pick<Node, "name" | "zone" | "addresses">;
