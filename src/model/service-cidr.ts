// SPDX-License-Identifier: Apache-2.0
// A ServiceCIDR: ranges that the cluster gives ClusterIPs from. Addresses in them that no Service has are nobody's.

import type { Cidr } from "./ip.ts";

export interface ServiceCidr {
  readonly kind: "ServiceCIDR";
  readonly name: string;
  /** One, or one of each family. */
  readonly cidrs: readonly Cidr[];
}
