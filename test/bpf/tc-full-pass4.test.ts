// SPDX-License-Identifier: Apache-2.0
// Over IPv4, PASS records and the room in the flow table.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table(
  "PASS records beside a flow table of two records over IPv4",
  services4,
  [
    {
      name: "PASS records take no room in it, to however many a host's socket speaks",
      steps: [
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 40113cc3 c0000201 cb007106
            7565 1388 000d 350c
            68656c6c6f`,
          verdict: "next",
        },
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 40113cc2 c0000201 cb007107
            7565 1388 000d 350b
            68656c6c6f`,
          verdict: "next",
        },
        {
          at: "egress uplink",
          packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 40113cc1 c0000201 cb007108
            7565 1388 000d 350a
            68656c6c6f`,
          verdict: "next",
        },
        begun4.webSyn,
        begun4.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5010ffff 88d4 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
      ],
      flows: [
        "flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
        "nascent pass 192.0.2.1:30053 > 203.0.113.6:5000",
        "nascent pass 192.0.2.1:30053 > 203.0.113.7:5000",
        "nascent pass 192.0.2.1:30053 > 203.0.113.8:5000",
      ],
    },
  ],
  { sizes: { flows: 2 } },
);
