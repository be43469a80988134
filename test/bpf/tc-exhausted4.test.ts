// SPDX-License-Identifier: Apache-2.0
// Over IPv4, what is refused when there is no port left, and that a refusal leaves nothing behind.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { transit4 } from "./support/transit.ts";

table("one SNAT port over IPv4", services4, [
  {
    name: "a second flow to the same backend finds no SNAT port; another protocol and another backend do",
    steps: [
      begun4.nodePortSyn,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c351 7580 00001001 00000000 5002ffff 6908 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 40113cc4 cb007105 c0000201
            c351 7565 000d 8543
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000021 00014000 4011f4b1 cb007105 0a000014
            c351 14e9 000d 9dad
            68656c6c6f`,
        markOut: MARK_IN,
        counts: {
          "port-dns.connections": 1,
          "port-dns.packets": 1,
          "port-dns.bytes": 47,
          "port-dns[0].connections": 1,
        },
      },
      transit4.tcp[0],
    ],
    flows: [
      "nascent owner 203.0.113.5:50000 > 192.0.2.1:30080 > 10.0.0.20:8080 as 192.0.2.1:40000",
      "nascent owner 203.0.113.5:50000 > 192.0.2.1:30081 > 192.0.2.20:8080 as 192.0.2.1:40000 transit",
      "nascent owner 203.0.113.5:50001 > 192.0.2.1:30053 > 10.0.0.20:5353 as 192.0.2.1:40000",
    ],
  },
  {
    name: "a flow refused for want of a client port gives its SNAT port back",
    steps: [
      begun4.webSyn,
      begun4.webSynFromMapped,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066ec4 0a00000a c0000201
            c350 7580 00001001 00000000 5002ffff 9b05 0000`,
        verdict: "drop",
        counts: { "drops.remap_exhausted": 1 },
      },
      begun4.nodePortSyn,
    ],
  },
]);
