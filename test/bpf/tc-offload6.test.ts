// SPDX-License-Identifier: Apache-2.0
// Over IPv6, packets that stand for several segments (GSO, GRO). Their real checksums are the business of transfers
// through veths; here it is lengths and counters.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("offloads over IPv6", services6, [
  {
    name: "segments that travel as one packet are counted as one, in full length",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000290640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5018ffff b79c 0000
            66697273742068616c6620616e64207365636f6e64`,
        gsoSize: 11,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000290640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5018ffff 98d3 0000
            66697273742068616c6620616e64207365636f6e64`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 95 },
      },
    ],
  },
  {
    name: "BIG TCP: a length field of 0 means the rest of the packet",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000000640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5018ffff b79c 0000
            66697273742068616c6620616e64207365636f6e64`,
        gsoSize: 11,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000000640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5018ffff 98d3 0000
            66697273742068616c6620616e64207365636f6e64`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 95 },
        malformed: true,
      },
    ],
  },
]);
