// SPDX-License-Identifier: Apache-2.0
// Over IPv4, pieces of datagrams that pass through, come in another order, or are nobody's (clause E7).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("order of fragments over IPv4", services4, [
  {
    name: "pieces of a transit flow pass through at once, later ones in any order",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500002c 00082000 40115cb2 cb007105 c0000201
            c350 7566 002d fe6c 6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            4500002c 00082000 3f11d7a3 c0000201 c0000214
            9c40 14e9 002d ffeb 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 58, "far-dns[0].connections": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000019 00080005 40117cc0 cb007105 c0000201
            68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            45000019 00080005 3f11f7b1 c0000201 c0000214
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 39 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000024 00082003 40115cb7 cb007105 c0000201
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            45000024 00082003 3f11d7a8 c0000201 c0000214
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 50 },
      },
    ],
  },
  {
    name: "a piece that comes before its first passes and waits, the first begins the flow and is sent again with it",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000019 00090005 40117cbf cb007105 c0000201
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500002c 00092000 40115cb1 cb007105 c0000201
            c350 7565 002d fe6d 6162636465666768696a6b6c6d6e6f70`,
        verdict: "drop", // its copies go through this hook again, in order
        counts: { "port-dns.connections": 1, "port-dns[0].connections": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500002c 00092000 40115cb1 cb007105 c0000201
            c350 7565 002d fe6d 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            4500002c 00092000 4011149f cb007105 0a000014
            c350 14e9 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 58 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000024 00092003 40115cb6 cb007105 c0000201
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000024 00092003 401114a4 cb007105 0a000014
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 50 },
      },
    ],
  },
  {
    name: "a piece that comes before its first goes past no VIP",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000024 000c2003 40114650 0a00000a 0a600001
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "drop",
        counts: { "drops.overtook": 1 },
      },
    ],
  },
  {
    name: "the first piece of a datagram is refused: later ones are dropped by name",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002c 000b2000 40114644 0a00000a 0a600009
            c350 0035 002d 5d33 6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038 00004000 40012653 0a600009 0a00000a
            0303dc16 00000000
            4500002c 000b2000 40114644 0a00000a 0a600009
            c350 0035 002d 5d33`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-dns.rejects": 1, "drops.no_endpoints": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000024 000b2003 40114649 0a00000a 0a600009
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "drop",
        counts: { "drops.fragment": 1 },
      },
    ],
  },
  {
    name: "pieces of nobody's datagram pass",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002c 000a2000 4011464b 0a00000a 0a000063
            c350 14e9 002d 4885 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000024 000a2003 40114650 0a00000a 0a000063
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000019 000a0005 40116659 0a00000a 0a000063
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            4500002c 000a2000 4011464b 0a000063 0a00000a
            14e9 c350 002d 4885 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000024 000a2003 40114650 0a000063 0a00000a
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000019 000a0005 40116659 0a000063 0a00000a
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: [],
  },
]);
