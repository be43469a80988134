// SPDX-License-Identifier: Apache-2.0
// Over IPv4, datagrams in pieces (clause E7): only the first has ports and the checksum, which covers them all.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("fragments over IPv4", services4, [
  {
    name: "a datagram in pieces to a NodePort, and its answer: every piece is translated at every edge",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500002c 00072000 40115cb3 cb007105 c0000201
            c350 7565 002d fe6d 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            4500002c 00072000 401114a1 cb007105 0a000014
            c350 14e9 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: {
          "port-dns.connections": 1,
          "port-dns.packets": 1,
          "port-dns.bytes": 58,
          "port-dns[0].connections": 1,
        },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000024 00072003 40115cb8 cb007105 c0000201
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000024 00072003 401114a6 cb007105 0a000014
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 50 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000019 00070005 40117cc1 cb007105 c0000201
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000019 00070005 401134af cb007105 0a000014
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 39 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            4500002c 00072000 3f1115a1 cb007105 0a000014
            c350 14e9 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            4500002c 00072000 3f118fa5 c0000201 0a000014
            9c40 14e9 002d b7ec 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000024 00072003 3f1115a6 cb007105 0a000014
            6162636465666768696a6b6c6d6e6f70`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000024 00072003 3f118faa c0000201 0a000014
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000019 00070005 3f1135af cb007105 0a000014
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000019 00070005 3f11afb3 c0000201 0a000014
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            4500002c 00072000 40118ea5 0a000014 c0000201
            14e9 9c40 002d b7ec 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            4500002c 00072000 401114a1 0a000014 cb007105
            14e9 c350 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000024 00072003 40118eaa 0a000014 c0000201
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000024 00072003 401114a6 0a000014 cb007105
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000019 00070005 4011aeb3 0a000014 c0000201
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000019 00070005 401134af 0a000014 cb007105
            68656c6c6f`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500002c 00072000 3f1115a1 0a000014 cb007105
            14e9 c350 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            4500002c 00072000 3f115db3 c0000201 cb007105
            7565 c350 002d fe6d 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 58 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000024 00072003 3f1115a6 0a000014 cb007105
            6162636465666768696a6b6c6d6e6f70`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000024 00072003 3f115db8 c0000201 cb007105
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 50 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000019 00070005 3f1135af 0a000014 cb007105
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000019 00070005 3f117dc1 c0000201 cb007105
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 39 },
      },
    ],
  },
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
    name: "a piece that comes before its first passes, the first begins the flow",
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
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            4500002c 00092000 4011149f cb007105 0a000014
            c350 14e9 002d 16d8 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: {
          "port-dns.connections": 1,
          "port-dns.packets": 1,
          "port-dns.bytes": 58,
          "port-dns[0].connections": 1,
        },
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
    name: "pieces of a datagram that is nobody's pass",
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
