// SPDX-License-Identifier: Apache-2.0
// A Node, reduced to its own addresses and its pods' ranges, which tell the host, its pods and the outside apart, and to
// where it stands.

import type { Cidr, Ip } from "./ip.ts";

export interface Node {
  readonly kind: "Node";
  readonly name: string;
  /** status.addresses of type InternalIP and ExternalIP, in their order. */
  readonly addresses: readonly Ip[];
  readonly podCidrs: readonly Cidr[];
  /** The label topology.kubernetes.io/zone (row 20). */
  readonly zone: string | undefined;
}

/** Where traffic comes from, for what endpoints' places and hints say. */
export type NodePlace = Pick<Node, "name" | "zone">;
