// SPDX-License-Identifier: Apache-2.0
// Over IPv6, clause E1: connections to a backend itself beside those that come to it through a VIP.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("direct connections over IPv6", services6, [
  {
    name: "E1, TCP: a direct packet on a tuple that a VIP's flow holds gets a port of its own",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff e9df 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 9c40 00001001 00002001 5012ffff c9ce 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        markOut: MARK_OUT,
      },
      begun6.webSynAck,
    ],
    flows: [
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
      "nascent owner [fd00::10]:50000 > [fd00::20]:8080 > [fd00::20]:8080 mapped 40000 direct answered",
    ],
  },
  {
    name: "E1, UDP: a direct packet on a tuple that a VIP's flow holds gets a port of its own",
    steps: [
      begun6.dnsDatagram,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000d e996
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            9c40 14e9 000d 10a7
            68656c6c6f`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000000000000000000000000000020 fd000000000000000000000000000010
            14e9 9c40 000d 069d
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000000000000000000000000000020 fd000000000000000000000000000010
            14e9 c350 000d df8c
            776f726c64`,
        markOut: MARK_OUT,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000000000000000000000000000020 fd000000000000000000000000000010
            14e9 c350 000d df8c
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000096000000000000000000000001 fd000000000000000000000000000010
            0035 c350 000d f3c9
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 67 },
      },
    ],
    flows: [
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:53 > [fd00::20]:5353 answered",
      "nascent owner [fd00::10]:50000 > [fd00::20]:5353 > [fd00::20]:5353 mapped 40000 direct answered",
    ],
  },
  {
    name: "E1: a direct SYN on a tuple nobody claimed is none of our business",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E1: a VIP's flow that is over leaves its tuple to a direct connection",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5014ffff a2bc 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5014ffff c185 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00009001 00000000 5002ffff 42cf 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E1: a direct connection that nobody tracks was there first: the flow gives way and begins anew on another port",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00007001 00005001 5010ffff 12c0 0000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000180640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5018ffff c6e5 0000
            6d696e65`,
        verdict: "next",
        markOut: MARK_IN,
      },
      begun6.webSynMapped,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 9c40 00001001 00002001 5012ffff c9ce 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c187 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000190640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5018ffff 40d1 0000
            796f757273`,
        verdict: "next",
        markOut: MARK_OUT,
      },
    ],
    flows: [
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 mapped 40000 answered",
      "nascent owner [fd00::10]:50000 > [fd00::20]:8080 > [fd00::20]:8080 direct answered",
    ],
  },
]);
