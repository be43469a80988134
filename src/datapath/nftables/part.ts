// SPDX-License-Identifier: Apache-2.0
// What one owner, a service port or the node itself, has in our table, as data. Names of chains are of one owner; an element may
// be wanted by several.

import { createHash } from "node:crypto";
import type { Member } from "../../compile/state.ts";
import type { Family } from "../../model/ip.ts";
import type { Protocol } from "../../model/service.ts";

/** family and name of our table */
export const TABLE = "inet portolan";

/** What is the family's own in the words of nft. */
export const WORDS: Readonly<Record<Family, { readonly ip: string; readonly type: string; readonly nfproto: string }>> =
  {
    4: { ip: "ip", type: "ipv4_addr", nfproto: "ipv4" },
    6: { ip: "ip6", type: "ipv6_addr", nfproto: "ipv6" },
  };

/** Translates to one of the members, at random. Where they are put is known only when it is written. */
export interface Translation {
  readonly family: Family;
  readonly protocol: Protocol;
  /** In front of the translation itself. */
  readonly match: string;
  /** At least one. */
  readonly members: readonly Member[];
}

export type Rule = string | Translation;

export interface Chain {
  readonly name: string;
  /** A base chain: `type nat hook ...`. Another hook needs another name. */
  readonly hook?: string;
  readonly rules: readonly Rule[];
}

export interface Element {
  /** One of those of tables.ts. */
  readonly of: string;
  /** Canonical, as listing.ts reads it back. */
  readonly key: string;
  /** The verdict; "" in a set. */
  readonly value: string;
}

export interface Part {
  readonly chains: readonly Chain[];
  /** Names of dynamic sets of clients (row 54): what they hold is the kernel's, and kept. */
  readonly clientSets: readonly { readonly name: string; readonly family: Family }[];
  readonly elements: readonly Element[];
}

export const NOTHING: Part = { chains: [], clientSets: [], elements: [] };

/** Stands in the comment of a chain's first rule, so that the next agent knows what it finds. 16 hexadecimal digits. */
export function digestOf({ rules }: Chain): string {
  const content = rules.map((rule) =>
    typeof rule === "string" ? rule : [rule.match, rule.members.map(({ address, port }) => `${address} ${port}`)],
  );
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}
