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
]);
