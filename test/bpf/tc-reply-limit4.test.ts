// SPDX-License-Identifier: Apache-2.0
// Over IPv4, a node that has told its senders enough.

import { table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

table(
  "beyond the rate of replies, silence over IPv4",
  services4,
  [
    {
      name: "row 32: an unused port",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005100001001000000005002ffffc7d50000`,
          verdict: "drop",
          counts: { "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: a ping",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002000014000400126720a00000a0a600001
            0800192d0001000170696e67`,
          verdict: "drop",
          counts: { "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: a Service without endpoints",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028000140004006265d0a00000a0a600009
            c350005000001001000000005002ffffc7ce0000`,
          verdict: "drop",
          counts: { "nobody.rejects": 1, "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: TCP of no connection",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005000001111000022225010ffffa4960000`,
          verdict: "drop",
          counts: { "web.rejects": 1, "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "what is never answered is counted as what it is",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005000001111000000005004ffffc6c40000`,
          verdict: "drop",
          counts: { "web.rejects": 1, "drops.no_flow": 1 },
        },
      ],
      flows: [],
    },
  ],
  { rodata: { reply_rate: u32(0), vip_ping: u32(1) } },
);
