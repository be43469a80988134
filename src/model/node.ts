// SPDX-License-Identifier: Apache-2.0
// A Node, reduced to its own addresses and its pods' ranges: what tells the host, its pods and the outside apart.

import type { Cidr, Ip } from "./ip.ts";

export interface Node {
  readonly kind: "Node";
  readonly name: string;
  /** status.addresses of type InternalIP and ExternalIP, in their order. */
  readonly addresses: readonly Ip[];
  readonly podCidrs: readonly Cidr[];
}
