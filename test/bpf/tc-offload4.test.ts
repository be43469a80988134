// SPDX-License-Identifier: Apache-2.0
// Over IPv4, packets that stand for several segments (GSO, GRO). Their real checksums are the business of transfers
// through veths; here it is lengths and counters.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("offloads over IPv4", services4, [
  {
    name: "segments that travel as one packet are counted as one, in full length",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500003d 00014000 40062650 0a00000a 0a600001
            c350 0050 00001001 00002001 5018ffff 9dda 0000
            66697273742068616c6620616e64207365636f6e64`,
        gsoSize: 11,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500003d 00014000 4006269d 0a00000a 0a000014
            c350 1f90 00001001 00002001 5018ffff 7ee7 0000
            66697273742068616c6620616e64207365636f6e64`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 75 },
      },
    ],
  },
  {
    name: "BIG TCP: a length field of 0 means the rest of the packet",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000000 00014000 4006268d 0a00000a 0a600001
            c350 0050 00001001 00002001 5018ffff 9dda 0000
            66697273742068616c6620616e64207365636f6e64`,
        gsoSize: 11,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000000 00014000 400626da 0a00000a 0a000014
            c350 1f90 00001001 00002001 5018ffff 7ee7 0000
            66697273742068616c6620616e64207365636f6e64`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 75 },
        malformed: true,
      },
    ],
  },
]);
