// SPDX-License-Identifier: Apache-2.0
// A chain of ours, and the way out for it.

import type { RuleTable } from "./iptables.ts";

/** Takes the chain away, and the jumps to it from the chain `from`. Returns whether there was one. Rejects with NetfilterError. */
export async function removeChain(table: RuleTable, from: string, chain: string): Promise<boolean> {
  const rules = await table.rules();
  if (!rules.includes(`-N ${chain}`)) return false;
  const jumps = rules.filter((rule) => rule === `-A ${from} -j ${chain}`).map(() => `-D ${from} -j ${chain}`);
  await table.restore([...jumps, `-F ${chain}`, `-X ${chain}`]);
  return true;
}
