// SPDX-License-Identifier: Apache-2.0
// Over IPv6, clause E1: the tuple between our hooks belongs to one connection, whatever VIPs it goes through.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("inner tuples over IPv6", services6, [
  {
    name: "E1, TCP: one client port to two VIPs of one backend: the second is remapped and restored",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000002
            c350 0050 00001001 00000000 5002ffff e197 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff e9df 0000`,
        markOut: MARK_IN,
        counts: { "twin.connections": 1, "twin.packets": 1, "twin.bytes": 74, "twin[0].connections": 1 },
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
            6000000000140640 fd000096000000000000000000000002 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c186 0000`,
        markOut: MARK_OUT,
        counts: { "twin.packets": 1, "twin.bytes": 74 },
      },
      begun6.webSynAck,
    ],
    flows: [
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
      "nascent owner [fd00::10]:50000 > [fd00:96::2]:80 > [fd00::20]:8080 mapped 40000 answered",
    ],
  },
  {
    name: "E1, UDP: one client port to two VIPs of one backend: the second is remapped and restored",
    steps: [
      begun6.dnsDatagram,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000096000000000000000000000002
            c350 0035 000d fdd2
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            9c40 14e9 000d 10a7
            68656c6c6f`,
        markOut: MARK_IN,
        counts: {
          "twin-dns.connections": 1,
          "twin-dns.packets": 1,
          "twin-dns.bytes": 67,
          "twin-dns[0].connections": 1,
        },
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
            60000000000d1140 fd000096000000000000000000000002 fd000000000000000000000000000010
            0035 c350 000d f3c8
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "twin-dns.packets": 1, "twin-dns.bytes": 67 },
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
      "nascent owner [fd00::10]:50000 > [fd00:96::2]:53 > [fd00::20]:5353 mapped 40000 answered",
    ],
  },
  {
    name: "E1: without a free port the second VIP is refused by name",
    steps: [
      begun6.webSyn,
      begun6.webSynFromMapped,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000002
            c350 0050 00001001 00000000 5002ffff e197 0000`,
        verdict: "drop",
        counts: { "drops.remap_exhausted": 1 },
      },
    ],
    flows: [
      "nascent owner [fd00::10]:40000 > [fd00:96::1]:80 > [fd00::20]:8080",
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080",
    ],
  },
  {
    name: "E1: a tuple that netfilter tracks is taken",
    before: ["conntrack -I -p tcp -s fd00::10 -d fd00::20 --sport 50000 --dport 8080 --state ESTABLISHED --timeout 60"],
    after: ["conntrack -D -p tcp -s fd00::10 -d fd00::20 --sport 50000 --dport 8080"],
    steps: [begun6.webSynMapped],
  },
]);
