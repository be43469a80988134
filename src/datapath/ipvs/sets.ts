// SPDX-License-Identifier: Apache-2.0
// The sets that rules of IPVS mode name: kube-proxy's, and ours for what its modes refuse and IPVS cannot. Pure.

import type { Family } from "../../model/ip.ts";
import { SETS, type SetName, setNameOf } from "../netfilter/ipvs-names.ts";

/** Sets of frontends whose new connections are dropped, by who asks. */
const OWN = {
  /** Policy Local and no endpoint here, at a ClusterIP (row 33). */
  "PORTOLAN-DROP": "hash:ip,port",
  /** The same at other frontends, for clients outside (rows 33 and 34). */
  "PORTOLAN-DROP-OUTSIDE": "hash:ip,port",
  /** By source ranges that leave the node's own processes out (row 44). */
  "PORTOLAN-DROP-NODE": "hash:ip,port",
} as const;
type OwnSet = keyof typeof OWN;
export type AnySet = SetName | OwnSet;

const TYPES: Readonly<Record<AnySet, string>> = { ...SETS, ...OWN };
const ALL = Object.keys(TYPES) as AnySet[];
/** More than any node has; the kernel's own 65536 is not (kube-proxy's trap, row table of section 2). */
const MOST_MEMBERS = 1_048_576;

/** What the kernel calls it. */
export function kernelName(set: AnySet, family: Family): string {
  return set in SETS ? setNameOf(set as SetName, family) : family === 4 ? set : set.replace("PORTOLAN-", "PORTOLAN-6-");
}

export function namesOf(family: Family): readonly string[] {
  return ALL.map((set) => kernelName(set, family));
}

/** What makes them, empty; those that are there already stay as they are (`ipset -exist restore`). */
export function creation(family: Family, present: ReadonlySet<string>): readonly string[] {
  const of = `family ${family === 4 ? "inet" : "inet6"} maxelem ${MOST_MEMBERS}`;
  return ALL.filter((set) => !present.has(kernelName(set, family))).map((set) => {
    const type = TYPES[set];
    return `create ${kernelName(set, family)} ${type} ${type === "bitmap:port" ? "range 0-65535" : of}`;
  });
}
