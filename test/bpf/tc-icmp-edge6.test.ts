// SPDX-License-Identifier: Apache-2.0
// Over IPv6, ICMP errors about transit flows, redirects, and messages that are none of ours (clause E7).

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { transit6 } from "./support/transit.ts";

table("ICMP at the edges over IPv6", services6, [
  {
    name: "an error about a transit flow passes through at once, one hop older",
    steps: [
      transit6.udp[0],
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000003d3a40 20010db8000200000000000000000020 20010db8000200000000000000000001
            010431bf 00000000
            60000000000d113f 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 14e9 000d af41 68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            60000000003d3a3f 20010db8000200000000000000000001 20010db8009900000000000000000005
            01043143 00000000
            60000000000d113f 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7566 000d 2738 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 115 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000003d3a40 20010db8005100000000000000000009 20010db8000200000000000000000001
            02002b7a 00000514
            60000000000d113c 20010db8000200000000000000000001 20010db8009900000000000000000005
            7566 c350 000d 2738 68656c6c6f`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            60000000003d3a3f 20010db8005100000000000000000009 20010db8000200000000000000000020
            02002b5b 00000514
            60000000000d113c 20010db8000200000000000000000020 20010db8000200000000000000000001
            14e9 9c40 000d af41 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 115 },
      },
    ],
  },
  {
    name: "a transit packet's last hop: the stack answers about what it saw, and the client hears of the NodePort",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d1101 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7566 000d 2738
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            60000000000d1101 20010db8009900000000000000000005 20010db8000200000000000000000020
            c350 14e9 000d 8796
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 67, "far-dns[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000003d3a40 20010db8000200000000000000000001 20010db8009900000000000000000005
            03002f85 00000000
            60000000000d1101 20010db8009900000000000000000005 20010db8000200000000000000000020
            c350 14e9 000d 8796 68656c6c6f`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            60000000003d3a40 20010db8000200000000000000000001 20010db8009900000000000000000005
            03002f85 00000000
            60000000000d1101 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7566 000d 2738 68656c6c6f`,
        markOut: MARK_OUT,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 115 },
      },
    ],
  },
  {
    name: "redirects about a flow reach neither end",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000703aff 20010db8005100000000000000000009 20010db8000200000000000000000001
            8900454d00000000 20010db8005100000000000000000009 20010db8009900000000000000000005
            020102000000ff99 0408000000000000
            60000000000d113c 20010db8000200000000000000000001 20010db8009900000000000000000005
            7565c350000d273968656c6c6f000000`,
        verdict: "drop",
        counts: { "drops.icmp_redirect": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000703aff 20010db8000200000000000000000001 20010db8009900000000000000000005
            8900763f00000000 20010db8005100000000000000000009 fd000000000000000000000000000020
            020102000000ff99 0408000000000000
            60000000000d113c 20010db8009900000000000000000005 fd000000000000000000000000000020
            c35014e9000db85068656c6c6f000000`,
        verdict: "drop",
        counts: { "drops.icmp_redirect": 1 },
      },
    ],
  },
  {
    name: "errors and redirects about other packets pass",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000003d3a40 20010db8005100000000000000000009 20010db8009900000000000000000005
            010430ef 00000000
            60000000000d113c 20010db8009900000000000000000005 fd000000000000000000000000000020
            c359 14e9 000d b847 68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000703aff 20010db8005100000000000000000009 20010db8009900000000000000000005
            890075e800000000 20010db8005100000000000000000009 fd000000000000000000000000000020
            020102000000ff99 0408000000000000
            60000000000d113c 20010db8009900000000000000000005 fd000000000000000000000000000020
            c35914e9000db84768656c6c6f000000`,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000003d3a40 20010db8005100000000000000000009 20010db8009900000000000000000005
            010430ef 00000000
            60000000000d113c 20010db8009900000000000000000005 fd000000000000000000000000000020
            c359 14e9 000d b847 68656c6c6f`,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000703aff 20010db8005100000000000000000009 20010db8009900000000000000000005
            890075e800000000 20010db8005100000000000000000009 fd000000000000000000000000000020
            020102000000ff99 0408000000000000
            60000000000d113c 20010db8009900000000000000000005 fd000000000000000000000000000020
            c35914e9000db84768656c6c6f000000`,
        verdict: "next",
      },
    ],
  },
  {
    name: "an error that goes to another than the sender of what it quotes passes",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000003d3a40 fd000000000000000000000000000020 fd000000000000000000000000000099
            0104929b 00000000
            60000000000d113f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 14e9 000d b850 68656c6c6f`,
        verdict: "next",
      },
    ],
  },
]);
