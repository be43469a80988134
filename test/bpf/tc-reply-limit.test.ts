// SPDX-License-Identifier: Apache-2.0
// A node that has told its senders enough: beyond the rate of replies there is silence, counted.

import type { Counters } from "./support/datapath.ts";
import { type Scenario, table } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

interface Silence {
  readonly name: string;
  readonly counts: Counters;
  /** A pod's, over each family. */
  readonly v4: string;
  readonly v6: string;
}

const SILENCES: readonly Silence[] = [
  {
    name: "row 32: an unused port",
    counts: { "drops.reply_limit": 1 },
    v4: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005100001001000000005002ffffc7d50000`,
    v6: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001001000000005002ffffe1970000`,
  },
  {
    name: "row 32: a ping",
    counts: { "drops.reply_limit": 1 },
    v4: `
            020000000021 02000000ff10 0800
            4500002000014000400126720a00000a0a600001
            0800192d0001000170696e67`,
    v6: `
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000000001
            8000a63d0001000170696e67`,
  },
  {
    name: "row 32: a Service without endpoints",
    counts: { "nobody.rejects": 1, "drops.reply_limit": 1 },
    v4: `
            020000000021 02000000ff10 0800
            45000028000140004006265d0a00000a0a600009
            c350005000001001000000005002ffffc7ce0000`,
    v6: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000009
            c350005000001001000000005002ffffe1900000`,
  },
  {
    name: "row 32: TCP of no connection",
    counts: { "web.rejects": 1, "drops.reply_limit": 1 },
    v4: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005000001111000022225010ffffa4960000`,
    v6: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000022225010ffffbe580000`,
  },
  {
    name: "what is never answered is counted as what it is",
    counts: { "web.rejects": 1, "drops.no_flow": 1 },
    v4: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005000001111000000005004ffffc6c40000`,
    v6: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000000005004ffffe0860000`,
  },
];

function silence(family: "v4" | "v6"): readonly Scenario[] {
  return SILENCES.map(({ name, counts, [family]: packet }) => ({
    name,
    steps: [{ at: "ingress client", packet, verdict: "drop", counts }],
    flows: [],
  }));
}

const noReplies = { rodata: { reply_rate: u32(0), vip_ping: u32(1) } };
table("beyond the rate of replies, silence over IPv4", services4, silence("v4"), noReplies);
table("beyond the rate of replies, silence over IPv6", services6, silence("v6"), noReplies);
