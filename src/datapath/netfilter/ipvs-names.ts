// SPDX-License-Identifier: Apache-2.0
// What a Service proxy in IPVS mode calls what it makes: kube-proxy's names (pkg/proxy/ipvs of Kubernetes 1.37). Pure.

import type { Family } from "../../model/ip.ts";

/** The device that holds the VIPs, so that the kernel takes packets to them in. */
export const IPVS_DEVICE = "kube-ipvs0";

/** Our chain in table nat: where it is, what has these names is ours and not a kube-proxy's. */
export const IPVS_SIGN = "PORTOLAN-IPVS";

/** Names of its sets, by type. */
export const SETS = {
  "KUBE-LOOP-BACK": "hash:ip,port,ip",
  "KUBE-CLUSTER-IP": "hash:ip,port",
  "KUBE-EXTERNAL-IP": "hash:ip,port",
  "KUBE-EXTERNAL-IP-LOCAL": "hash:ip,port",
  "KUBE-LOAD-BALANCER": "hash:ip,port",
  "KUBE-LOAD-BALANCER-LOCAL": "hash:ip,port",
  "KUBE-LOAD-BALANCER-FW": "hash:ip,port",
  "KUBE-LOAD-BALANCER-SOURCE-IP": "hash:ip,port,ip",
  "KUBE-LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
  "KUBE-NODE-PORT-TCP": "bitmap:port",
  "KUBE-NODE-PORT-LOCAL-TCP": "bitmap:port",
  "KUBE-NODE-PORT-UDP": "bitmap:port",
  "KUBE-NODE-PORT-LOCAL-UDP": "bitmap:port",
  "KUBE-NODE-PORT-SCTP-HASH": "hash:ip,port",
  "KUBE-NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
  "KUBE-HEALTH-CHECK-NODE-PORT": "bitmap:port",
  "KUBE-IPVS-IPS": "hash:ip",
} as const;
export type SetName = keyof typeof SETS;

/** What the kernel keeps of a set's name. */
const NAME_LENGTH = 31;

/** What it is called for this family. */
export function setNameOf(set: SetName, family: Family): string {
  return family === 4 ? set : set.replace("KUBE-", "KUBE-6-").slice(0, NAME_LENGTH);
}

/** All of them, of both families. */
export const SET_NAMES: ReadonlySet<string> = new Set(
  (Object.keys(SETS) as SetName[]).flatMap((set) => [setNameOf(set, 4), setNameOf(set, 6)]),
);
