// SPDX-License-Identifier: Apache-2.0
// Over IPv6, pieces of datagrams that pass through, come in another order, or are nobody's (clause E7).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("order of fragments over IPv6", services6, [
  {
    name: "pieces of a transit flow pass through at once, later ones in any order",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000202c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100000100000008
            c350 7566 002d a061 6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            6000000000202c3f 20010db8000200000000000000000001 20010db8000200000000000000000020
            1100000100000008
            9c40 14e9 002d 286b 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 86, "far-dns[0].connections": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d2c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100002800000008
            68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            60000000000d2c3f 20010db8000200000000000000000001 20010db8000200000000000000000020
            1100002800000008
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 67 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000182c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100001900000008
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            6000000000182c3f 20010db8000200000000000000000001 20010db8000200000000000000000020
            1100001900000008
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 78 },
      },
    ],
  },
  {
    name: "a piece that comes before its first passes and waits, the first begins the flow and is sent again with it",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d2c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100002800000009
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000202c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100000100000009
            c350 7565 002d a062 6162636465666768696a6b6c6d6e6f70`,
        verdict: "drop", // its copies go through this hook again, in order
        counts: { "port-dns.connections": 1, "port-dns[0].connections": 1 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000202c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100000100000009
            c350 7565 002d a062 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000202c40 20010db8009900000000000000000005 fd000000000000000000000000000020
            1100000100000009
            c350 14e9 002d 317a 6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 86 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000182c40 20010db8009900000000000000000005 20010db8000200000000000000000001
            1100001900000009
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000182c40 20010db8009900000000000000000005 fd000000000000000000000000000020
            1100001900000009
            6162636465666768696a6b6c6d6e6f70`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 78 },
      },
    ],
  },
  {
    name: "a piece that comes before its first goes past no VIP",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000d2c40 fd000000000000000000000000000010 fd000096000000000000000000000001
            110000280000000c
            68656c6c6f`,
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
            020000000021 02000000ff10 86dd
            6000000000202c40 fd000000000000000000000000000010 fd000096000000000000000000000009
            110000010000000b
            c350 0035 002d 76f5 6162636465666768696a6b6c6d6e6f70`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000403a40 fd000096000000000000000000000009 fd000000000000000000000000000010
            0104310b 00000000
            6000000000202c40 fd000000000000000000000000000010 fd000096000000000000000000000009
            110000010000000b
            c350 0035 002d 76f5`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-dns.rejects": 1, "drops.no_endpoints": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000182c40 fd000000000000000000000000000010 fd000096000000000000000000000009
            110000190000000b
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
            020000000021 02000000ff10 86dd
            6000000000202c40 fd000000000000000000000000000010 fd000000000000000000000000000099
            110000010000000a
            c350 14e9 002d 6247 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000182c40 fd000000000000000000000000000010 fd000000000000000000000000000099
            110000190000000a
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000d2c40 fd000000000000000000000000000010 fd000000000000000000000000000099
            110000280000000a
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000202c40 fd000000000000000000000000000099 fd000000000000000000000000000010
            110000010000000a
            14e9 c350 002d 6247 6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000182c40 fd000000000000000000000000000099 fd000000000000000000000000000010
            110000190000000a
            6162636465666768696a6b6c6d6e6f70`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            60000000000d2c40 fd000000000000000000000000000099 fd000000000000000000000000000010
            110000280000000a
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: [],
  },
]);
