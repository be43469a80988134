// SPDX-License-Identifier: Apache-2.0
// The maps and sets that our table always has. One of another type needs another name: an earlier agent's stays as it is.

import type { Family } from "../../model/ip.ts";
import { WORDS } from "./part.ts";

export interface FixedTable {
  readonly name: string;
  readonly kind: "map" | "set";
  readonly type: string;
}

/** All of a family. */
export function fixedTables(family: Family): readonly FixedTable[] {
  const { type } = WORDS[family];
  const place = `${type} . inet_proto . inet_service : verdict`;
  const nodePort = "inet_proto . inet_service : verdict";
  return [
    { name: `frontends${family}`, kind: "map", type: place },
    { name: `nodeports${family}`, kind: "map", type: nodePort },
    // Of those that have no endpoints for everybody: what is not translated meets them.
    { name: `refusals${family}`, kind: "map", type: place },
    { name: `refused-nodeports${family}`, kind: "map", type: nodePort },
    // ClusterIPs and ports that an interface of the node has too.
    { name: `on-node${family}`, kind: "set", type: `${type} . inet_proto . inet_service` },
    { name: `nodeport-ips${family}`, kind: "set", type },
    { name: `cluster-ips${family}`, kind: "set", type },
    // Somebody's, so that nothing is dropped there for want of a Service.
    { name: `left-alone${family}`, kind: "set", type },
    // Each endpoint that may be here, twice: it has asked itself.
    { name: `hairpins${family}`, kind: "set", type: `${type} . ${type}` },
  ];
}
