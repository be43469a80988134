// SPDX-License-Identifier: Apache-2.0
// Over IPv6, what TCP and UDP packets carry besides addresses and ports is as it was after translation, checksums are right.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("payload kept over IPv6", services6, [
  {
    name: "TCP options: MSS, SACK, timestamps, window scale",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000280640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 a002ffff 79b5 0000 020405b40402080a000000010000000001030307`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000280640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 a002ffff 5aec 0000 020405b40402080a000000010000000001030307`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 94, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "source port 0",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000096000000000000000000000001
            0000 0035 000d c124
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            0000 14e9 000d ace7
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 67, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "UDP without payload",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000081140 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0035 0008 41b0`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000081140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 0008 2d73`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 62, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "an odd number of bytes",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000b1140 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0035 000b 6e45
            6f6464`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000b1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000b 5a08
            6f6464`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 65, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "a UDP checksum that comes out as 0 is written as ffff: 0 means none",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000a1140 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0035 000a 143d
            2d6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000a1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000a ffff
            2d6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 64, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "a UDP checksum that was ffff",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000a1140 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0035 000a ffff
            41ac`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000a1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000a ebc2
            41ac`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 64, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "padding of a short frame stays, and stays out of the checksum",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e198 0000
            0000000000000000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000
            0000000000000000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 82, "web[0].connections": 1 },
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
            020000000021 02000000ff10 86dd
            60000000001c2c40 fd000000000000000000000000000010 fd000096000000000000000000000001
            060005c100000007
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "drop",
        counts: { "drops.overtook": 1 },
      },
      begun6.webSyn,
    ],
  },
]);
