// SPDX-License-Identifier: Apache-2.0
// Runs the node's nft, which knows what iptables does not show: tables of others' making.

import { findCommand, runCommand } from "./command.ts";

/** As `nft list tables` names it: "ip kube-proxy". */
export type NftTable = `${string} ${string}`;

/** undefined: nft is not installed. Rejects with NetfilterError. */
export async function nftTables(): Promise<readonly NftTable[] | undefined> {
  const nft = findCommand("nft");
  if (nft === undefined) return undefined;
  const listed = await runCommand(nft, ["list", "tables"]);
  return [...listed.matchAll(/^table (\S+) (\S+)$/gm)].map(([, family, name]): NftTable => `${family} ${name}`);
}

/** All of them at once. Rejects with NetfilterError. */
export async function deleteNftTables(tables: readonly NftTable[]): Promise<void> {
  await nft(["-f", "-"], tables.map((table) => `delete table ${table}\n`).join(""));
}

/** What `nft` with these arguments prints. Rejects with NetfilterError. */
export async function nft(args: readonly string[], input?: string): Promise<string> {
  return await runCommand(findCommand("nft") ?? "nft", args, input);
}
