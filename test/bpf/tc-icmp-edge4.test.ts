// SPDX-License-Identifier: Apache-2.0
// Over IPv4, ICMP errors about transit flows, redirects, and messages that are none of ours (clause E7).

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { transit4 } from "./support/transit.ts";

table("ICMP at the edges over IPv4", services4, [
  {
    name: "an error about a transit flow passes through at once, one hop older",
    steps: [
      transit4.udp[0],
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 4001b6a9 c0000214 c0000201
            03038131 00000000
            45000021 00014000 3f11b7b5 c0000201 c0000214
            9c40 14e9 000d 86c2 68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            4500003d 00014000 3f013db8 c0000201 cb007105
            0303fb22 00000000
            45000021 00014000 3f113dc4 cb007105 c0000201
            c350 7566 000d 8543 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 75 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 40014e81 c6336409 c0000201
            0304f60d 00000514
            45000021 00014000 3c1140c4 c0000201 cb007105
            7566 c350 000d 8543 68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            4500003d 00014000 3f014f6e c6336409 c0000214
            03047c1c 00000514
            45000021 00014000 3c11bab5 c0000214 c0000201
            14e9 9c40 000d 86c2 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 75 },
      },
    ],
  },
  {
    name: "a transit packet's last hop: the stack answers about what it saw, and the client hears of the NodePort",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 01117bc4 cb007105 c0000201
            c350 7566 000d 8543
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000021 00014000 01117bb1 cb007105 c0000214
            c350 14e9 000d e5ad
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 47, "far-dns[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 40013cb8 c0000201 cb007105
            0b00f338 00000000
            45000021 00014000 01117bb1 cb007105 c0000214
            c350 14e9 000d e5ad 68656c6c6f`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            4500003d 00014000 40013cb8 c0000201 cb007105
            0b00f325 00000000
            45000021 00014000 01117bc4 cb007105 c0000201
            c350 7566 000d 8543 68656c6c6f`,
        markOut: MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 75 },
      },
    ],
  },
  {
    name: "redirects about a flow reach neither end",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 40014e81 c6336409 c0000201
            0501cee7 c6336409
            45000021 00014000 3c1140c4 c0000201 cb007105
            7565 c350 000d 8544 68656c6c6f`,
        verdict: "drop",
        counts: { "drops.icmp_redirect": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 40013cb8 c0000201 cb007105
            050116fa c6336409
            45000021 00014000 3c11f8b1 cb007105 0a000014
            c350 14e9 000d 9dae 68656c6c6f`,
        verdict: "drop",
        counts: { "drops.icmp_redirect": 1 },
      },
    ],
  },
  {
    name: "errors and redirects about other packets pass",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 4001d47c c6336409 cb007105
            03034335 00000000
            45000021 00014000 3c11f8b1 cb007105 0a000014
            c359 14e9 000d 9da5 68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 4001d47c c6336409 cb007105
            050116fa c6336409
            45000021 00014000 3c11f8b1 cb007105 0a000014
            c359 14e9 000d 9da5 68656c6c6f`,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 4001d47c c6336409 cb007105
            03034335 00000000
            45000021 00014000 3c11f8b1 cb007105 0a000014
            c359 14e9 000d 9da5 68656c6c6f`,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 4001d47c c6336409 cb007105
            050116fa c6336409
            45000021 00014000 3c11f8b1 cb007105 0a000014
            c359 14e9 000d 9da5 68656c6c6f`,
        verdict: "next",
      },
    ],
  },
  {
    name: "an error that goes to another than the sender of what it quotes passes",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 40012649 0a000014 0a000063
            03034335 00000000
            45000021 00014000 3f11f5b1 cb007105 0a000014
            c350 14e9 000d 9dae 68656c6c6f`,
        verdict: "next",
      },
    ],
  },
]);
