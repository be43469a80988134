// SPDX-License-Identifier: Apache-2.0
// Over IPv4, clause E1: the tuple between our hooks belongs to one connection, whatever VIPs it goes through.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("inner tuples over IPv4", services4, [
  {
    name: "E1, TCP: one client port to two VIPs of one backend: the second is remapped and restored",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062664 0a00000a 0a600002
            c350 0050 00001001 00000000 5002ffff c7d5 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            9c40 1f90 00001001 00000000 5002ffff cff3 0000`,
        markOut: MARK_IN,
        counts: { "twin.connections": 1, "twin.packets": 1, "twin.bytes": 54, "twin[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afe2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062664 0a600002 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c4 0000`,
        markOut: MARK_OUT,
        counts: { "twin.packets": 1, "twin.bytes": 54 },
      },
      begun4.webSynAck,
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.2:80 > 10.0.0.20:8080 mapped 40000 answered",
    ],
  },
  {
    name: "E1, UDP: one client port to two VIPs of one backend: the second is remapped and restored",
    steps: [
      begun4.dnsDatagram,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000021 00014000 40112660 0a00000a 0a600002
            c350 0035 000d e410
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            9c40 14e9 000d f6ba
            68656c6c6f`,
        markOut: MARK_IN,
        counts: {
          "twin-dns.connections": 1,
          "twin-dns.packets": 1,
          "twin-dns.bytes": 47,
          "twin-dns[0].connections": 1,
        },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 9c40 000d ecb0
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 40112660 0a600002 0a00000a
            0035 c350 000d da06
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "twin-dns.packets": 1, "twin-dns.bytes": 47 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d c5a0
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 40112661 0a600001 0a00000a
            0035 c350 000d da07
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 47 },
      },
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:53 > 10.0.0.20:5353 answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.2:53 > 10.0.0.20:5353 mapped 40000 answered",
    ],
  },
  {
    name: "E1: without a free port the second VIP is refused by name",
    steps: [
      begun4.webSyn,
      begun4.webSynFromMapped,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062664 0a00000a 0a600002
            c350 0050 00001001 00000000 5002ffff c7d5 0000`,
        verdict: "drop",
        counts: { "drops.remap_exhausted": 1 },
      },
    ],
    flows: [
      "nascent owner 10.0.0.10:40000 > 10.96.0.1:80 > 10.0.0.20:8080",
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080",
    ],
  },
  {
    name: "E1: a tuple that netfilter tracks is taken",
    before: [
      "conntrack -I -p tcp -s 10.0.0.10 -d 10.0.0.20 --sport 50000 --dport 8080 --state ESTABLISHED --timeout 60",
    ],
    after: ["conntrack -D -p tcp -s 10.0.0.10 -d 10.0.0.20 --sport 50000 --dport 8080"],
    steps: [begun4.webSynMapped],
  },
]);
