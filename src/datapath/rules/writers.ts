// SPDX-License-Identifier: Apache-2.0
// The modes that serve by rules, and who writes them.

import type { Mode } from "../contract.ts";
import { NftablesWriter } from "../nftables/writer.ts";
import type { RuleSettings, RuleWriter } from "./writer.ts";

export type RuleMode = Exclude<Mode, "ebpf">;

const WRITERS: Readonly<Partial<Record<RuleMode, (settings: RuleSettings) => RuleWriter>>> = {
  nftables: (settings) => new NftablesWriter(settings),
};

export function openWriter(mode: RuleMode, settings: RuleSettings): RuleWriter {
  const open = WRITERS[mode];
  if (open) return open(settings);
  throw new Error(`mode ${mode} is not there yet`);
}

export function everyWriter(settings: RuleSettings): readonly RuleWriter[] {
  return Object.values(WRITERS).map((open) => open(settings));
}

/** Those of all modes but this one: what is theirs can go. */
export function otherWriters(mode: Mode, settings: RuleSettings): readonly RuleWriter[] {
  return everyWriter(settings).filter((writer) => writer.mode !== mode);
}
