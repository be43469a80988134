// SPDX-License-Identifier: Apache-2.0
// Over IPv6, a node that has told its senders enough.

import { table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

table(
  "beyond the rate of replies, silence over IPv6",
  services6,
  [
    {
      name: "row 32: an unused port",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001001000000005002ffffe1970000`,
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
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000000001
            8000a63d0001000170696e67`,
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
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000009
            c350005000001001000000005002ffffe1900000`,
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
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000022225010ffffbe580000`,
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
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000000005004ffffe0860000`,
          verdict: "drop",
          counts: { "web.rejects": 1, "drops.no_flow": 1 },
        },
      ],
      flows: [],
    },
  ],
  { rodata: { reply_rate: u32(0), vip_ping: u32(1) } },
);
