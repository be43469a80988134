// SPDX-License-Identifier: Apache-2.0
// The modes that serve by rules, and who writes them.

import type { Mode } from "../contract.ts";
import { type IptablesOptions, IptablesWriter } from "../iptables/writer.ts";
import { type IpvsOptions, IpvsWriter } from "../ipvs/writer.ts";
import { NftablesWriter } from "../nftables/writer.ts";
import type { RuleSettings, RuleWriter } from "./writer.ts";

export type RuleMode = Exclude<Mode, "ebpf">;

/** What single modes ask for beside. */
export type WriterOptions = IptablesOptions & IpvsOptions;

type Open = (settings: RuleSettings, options: WriterOptions) => RuleWriter;

const WRITERS: Readonly<Record<RuleMode, Open>> = {
  nftables: (settings) => new NftablesWriter(settings),
  ipvs: (settings, options) => new IpvsWriter(settings, options),
  iptables: (settings, options) => new IptablesWriter(settings, options),
};

export function openWriter(mode: RuleMode, settings: RuleSettings, options: WriterOptions): RuleWriter {
  return WRITERS[mode](settings, options);
}

export function everyWriter(settings: RuleSettings, options: WriterOptions): readonly RuleWriter[] {
  return Object.values(WRITERS).map((open) => open(settings, options));
}

/** Those of all modes but this one: what is theirs can go. */
export function otherWriters(mode: Mode, settings: RuleSettings, options: WriterOptions): readonly RuleWriter[] {
  return everyWriter(settings, options).filter((writer) => writer.mode !== mode);
}
