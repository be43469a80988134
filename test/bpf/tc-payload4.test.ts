// SPDX-License-Identifier: Apache-2.0
// Over IPv4, what TCP and UDP packets carry besides addresses and ports is as it was after translation, checksums are right.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("payload kept over IPv4", services4, [
  {
    name: "TCP options: MSS, SACK, timestamps, window scale",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500003c 00014000 40062651 0a00000a 0a600001
            c350 0050 00001001 00000000 a002ffff 5ff3 0000 020405b40402080a000000010000000001030307`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500003c 00014000 4006269e 0a00000a 0a000014
            c350 1f90 00001001 00000000 a002ffff 4100 0000 020405b40402080a000000010000000001030307`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "source port 0",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000021 00014000 40112661 0a00000a 0a600001
            0000 0035 000d a762
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            0000 14e9 000d 92fb
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 47, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "UDP without payload",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001c 00014000 40112666 0a00000a 0a600001
            c350 0035 0008 27ee`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001c 00014000 401126b3 0a00000a 0a000014
            c350 14e9 0008 1387`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 42, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "an odd number of bytes",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001f 00014000 40112663 0a00000a 0a600001
            c350 0035 000b 5483
            6f6464`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001f 00014000 401126b0 0a00000a 0a000014
            c350 14e9 000b 401c
            6f6464`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 45, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "a UDP checksum that comes out as 0 is written as ffff: 0 means none",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001e 00014000 40112664 0a00000a 0a600001
            c350 0035 000a 1467
            1383`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001e 00014000 401126b1 0a00000a 0a000014
            c350 14e9 000a ffff
            1383`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 44, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "a UDP checksum that was ffff",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001e 00014000 40112664 0a00000a 0a600001
            c350 0035 000a ffff
            27ea`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001e 00014000 401126b1 0a00000a 0a000014
            c350 14e9 000a eb98
            27ea`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 44, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "padding of a short frame stays, and stays out of the checksum",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000
            0000000000000000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000
            0000000000000000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 62, "web[0].connections": 1 },
        malformed: true,
      },
    ],
  },
  {
    name: "nothing of a fragment sticks: the whole packet after it is served",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 000120b9 400645ac 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "drop",
        counts: { "drops.overtook": 1 },
      },
      begun4.webSyn,
    ],
  },
]);
