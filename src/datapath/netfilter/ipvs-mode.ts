// SPDX-License-Identifier: Apache-2.0
// Whose what serves by IPVS is: ours and a kube-proxy's have the same names.

import type { Family } from "../../model/ip.ts";
import { findTables, hasChain } from "./iptables.ts";
import { IPVS_SIGN } from "./ipvs-names.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** Rejects with NetfilterError. */
export async function isIpvsOurs(): Promise<boolean> {
  for (const table of FAMILIES.flatMap((family) => findTables(family, "nat"))) {
    if (await hasChain(table, IPVS_SIGN)) return true;
  }
  return false;
}
