// SPDX-License-Identifier: Apache-2.0
// Over IPv6, packets with extension headers: translated around, and kept.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("headers kept over IPv6", services6, [
  {
    name: "IPv6 hop-by-hop options",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000001c0040 fd000000000000000000000000000010 fd000096000000000000000000000001
            0600010400000000
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000001c0040 fd000000000000000000000000000010 fd000000000000000000000000000020
            0600010400000000
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 82, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "IPv6 hop-by-hop and destination options, UDP",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000250040 fd000000000000000000000000000010 fd000096000000000000000000000001
            3c01010c0000000000000000000000001100010400000000
            c350 0035 000d fdd3
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000250040 fd000000000000000000000000000010 fd000000000000000000000000000020
            3c01010c0000000000000000000000001100010400000000
            c350 14e9 000d e996
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 91, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "an IPv6 routing header at its last stop",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000002c2b40 fd000000000000000000000000000010 fd000096000000000000000000000001
            0602020000000000fd000096000000000000000000000099
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000002c2b40 fd000000000000000000000000000010 fd000000000000000000000000000020
            0602020000000000fd000096000000000000000000000099
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 98, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "an IPv6 authentication header",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000002c3340 fd000000000000000000000000000010 fd000096000000000000000000000001
            060400000000000000000000000000000000000000000000
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000002c3340 fd000000000000000000000000000010 fd000000000000000000000000000020
            060400000000000000000000000000000000000000000000
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 98, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "an IPv6 fragment header on a whole packet",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000001c2c40 fd000000000000000000000000000010 fd000096000000000000000000000001
            0600000000000007
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000001c2c40 fd000000000000000000000000000010 fd000000000000000000000000000020
            0600000000000007
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 82, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "six IPv6 extension headers, as many as we walk",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000440040 fd000000000000000000000000000010 fd000096000000000000000000000001
            3c000104000000003c000104000000003c000104000000003c000104000000003c000104000000000600010400000000
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000440040 fd000000000000000000000000000010 fd000000000000000000000000000020
            3c000104000000003c000104000000003c000104000000003c000104000000003c000104000000000600010400000000
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 122, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "IPv6 extension headers on the way back",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000001c0040 fd000000000000000000000000000010 fd000096000000000000000000000001
            0600010400000000
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000001c0040 fd000000000000000000000000000010 fd000000000000000000000000000020
            0600010400000000
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 82, "web[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            60000000001c0040 fd000000000000000000000000000020 fd000000000000000000000000000010
            0600010400000000
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            60000000001c0040 fd000096000000000000000000000001 fd000000000000000000000000000010
            0600010400000000
            0050 c350 00001001 00002001 5012ffff c187 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 82 },
      },
    ],
  },
  {
    name: "a segment of no connection behind such headers is dropped, not answered",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000001c0040 fd000000000000000000000000000010 fd000096000000000000000000000001
            0600010400000000
            c350 0050 00001001 00002001 5010ffff c189 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "no endpoints: the quote holds such headers whole",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000150040 fd000000000000000000000000000010 fd000096000000000000000000000009
            1100010400000000
            c350 0035 000d fdcb
            68656c6c6f`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000403a40 fd000096000000000000000000000009 fd000000000000000000000000000010
            0104d56700000000
            6000000000150040fd000000000000000000000000000010fd0000960000000000000000000000091100010400000000
            c3500035000dfdcb`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-dns.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
    flows: [],
  },
]);
