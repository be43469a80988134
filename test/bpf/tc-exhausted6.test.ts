// SPDX-License-Identifier: Apache-2.0
// Over IPv6, what is refused when there is no port left, and that a refusal leaves nothing behind.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { transit6 } from "./support/transit.ts";

table("one SNAT port over IPv6", services6, [
  {
    name: "a second flow to the same backend finds no SNAT port; another protocol and another backend do",
    steps: [
      begun6.nodePortSyn,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c351 7580 00001001 00000000 5002ffff 0afd 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8009900000000000000000005 20010db8000200000000000000000001
            c351 7565 000d 2738
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8009900000000000000000005 fd000000000000000000000000000020
            c351 14e9 000d b84f
            68656c6c6f`,
        markOut: MARK_IN,
        counts: {
          "port-dns.connections": 1,
          "port-dns.packets": 1,
          "port-dns.bytes": 67,
          "port-dns[0].connections": 1,
        },
      },
      transit6.tcp[0],
    ],
    flows: [
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000",
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30081 > [2001:db8:2::20]:8080 as [2001:db8:2::1]:40000 transit",
      "nascent owner [2001:db8:99::5]:50001 > [2001:db8:2::1]:30053 > [fd00::20]:5353 as [2001:db8:2::1]:40000",
    ],
  },
  {
    name: "a flow refused for want of a client port gives its SNAT port back",
    steps: [
      begun6.webSyn,
      begun6.webSynFromMapped,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000001
            c350 7580 00001001 00000000 5002ffff 3c44 0000`,
        verdict: "drop",
        counts: { "drops.remap_exhausted": 1 },
      },
      begun6.nodePortSyn,
    ],
  },
]);
