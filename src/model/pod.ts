// SPDX-License-Identifier: Apache-2.0
// A Pod, reduced to where its processes are and whether their sockets are to be balanced; and what its Namespace says of
// that (docs/annotations.md).

import type { Ip } from "./ip.ts";

export interface Pod {
  readonly kind: "Pod";
  readonly namespace: string;
  readonly name: string;
  /** As the names of its cgroups have it; "" as long as nothing assigned one. */
  readonly uid: string;
  /** "" until it is scheduled. */
  readonly nodeName: string;
  readonly hostNetwork: boolean;
  /** status.podIPs: at most one of a family. */
  readonly addresses: readonly Ip[];
  /** undefined: as its Namespace says. */
  readonly socketBalancing: boolean | undefined;
}

export interface Namespace {
  readonly kind: "Namespace";
  readonly name: string;
  /** undefined: yes. */
  readonly socketBalancing: boolean | undefined;
}
