// SPDX-License-Identifier: Apache-2.0
// Over IPv6, PASS records and the room in the flow table.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table(
  "PASS records beside a flow table of two records over IPv6",
  services6,
  [
    {
      name: "PASS records take no room in it, to however many a host's socket speaks",
      steps: [
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 86dd
            60000000000d1140 20010db8000200000000000000000001 20010db8009900000000000000000006
            7565 1388 000d d700
            68656c6c6f`,
          verdict: "next",
        },
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 86dd
            60000000000d1140 20010db8000200000000000000000001 20010db8009900000000000000000007
            7565 1388 000d d6ff
            68656c6c6f`,
          verdict: "next",
        },
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 86dd
            60000000000d1140 20010db8000200000000000000000001 20010db8009900000000000000000008
            7565 1388 000d d6fe
            68656c6c6f`,
          verdict: "next",
        },
        begun6.webSyn,
        begun6.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5010ffff a2c0 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
      ],
      flows: [
        "flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
        "nascent pass [2001:db8:2::1]:30053 > [2001:db8:99::6]:5000",
        "nascent pass [2001:db8:2::1]:30053 > [2001:db8:99::7]:5000",
        "nascent pass [2001:db8:2::1]:30053 > [2001:db8:99::8]:5000",
      ],
    },
  ],
  { sizes: { flows: 2 } },
);
