// SPDX-License-Identifier: Apache-2.0
// Over IPv6, packets to addresses of Services, at ports and protocols that nothing serves.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("what nothing serves over IPv6", services6, [
  {
    name: "row 46: a SYN to another port of a ClusterIP is told that there is none, quoted",
    steps: [begun6.unusedPort],
    flows: [],
  },
  {
    name: "row 46: likewise from outside",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            600000000014064020010db8007100000000000000000005fd000096000000000000000000000001
            c350005100001001000000005002ffffb0790000`,
        verdict: "redirect",
        out: `
            02000000ff99 020000000011 86dd
            6000000000443a40fd00009600000000000000000000000120010db8007100000000000000000005
            01046c7c00000000600000000014064020010db8007100000000000000000005
            fd000096000000000000000000000001c350005100001001000000005002ffff
            b0790000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "row 46: a datagram to a port that only TCP has",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000121140fd000000000000000000000000000010fd000096000000000000000000000001
            c3500050001225a061207175657374696f6e`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000383a40fd000096000000000000000000000001fd000000000000000000000000000010
            0104ae92000000006000000000121140fd000000000000000000000000000010
            fd000096000000000000000000000001c3500050001225a0`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "row 46: a protocol that no Service has",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000142f40fd000000000000000000000000000010fd000096000000000000000000000001
            0000080045000014000000000000000000000000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000383a40fd000096000000000000000000000001fd000000000000000000000000000010
            01042ccf000000006000000000142f40fd000000000000000000000000000010
            fd0000960000000000000000000000010000080045000014`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
        malformed: true,
      },
    ],
    flows: [],
  },
  {
    name: "row 46: an echo request to a ClusterIP",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000000001
            8000a63d0001000170696e67`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000383a40fd000096000000000000000000000001fd000000000000000000000000000010
            010448ab0000000060000000000c3a40fd000000000000000000000000000010
            fd0000960000000000000000000000018000a63d00010001`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "row 46: the middle of an unknown connection to another port is reset",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001111000022225010ffffbe570000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640fd000096000000000000000000000001fd000000000000000000000000000010
            0051c350000022220000000050040000cf740000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "row 46: a RST to another port is never answered",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001111000000005004ffffe0850000`,
        verdict: "drop",
        counts: { "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "an ICMP error to a ClusterIP about no connection passes: errors are never answered with errors",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000383a40fd000000000000000000000000000010fd000096000000000000000000000001
            010197d70000000060000000000c1140fd000096000000000000000000000001
            fd00000000000000000000000000001000050006000c0000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "row 46: other ports of an external IP, and echo requests to it, are left alone",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd00000000000000000000000000001020010db8005100000000000000000001
            c350005100001001000000005002ffffb1240000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000c3a40fd00000000000000000000000000001020010db8005100000000000000000001
            800075ca0001000170696e67`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "row 46: an address that ClusterIPs come from and no Service has is silence",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000008001
            c350005000001001000000005002ffff61980000`,
        verdict: "drop",
        counts: { "drops.unallocated": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000008001
            8000263d0001000170696e67`,
        verdict: "drop",
        counts: { "drops.unallocated": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "row 46: what is not new there passes, and so does what may be an answer",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000121140fd000000000000000000000000000010fd000096000000000000000000008001
            c35000350012a5ba61207175657374696f6e`,
        verdict: "next", // netfilter says where it leaves whether it is new
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000142f40fd000000000000000000000000000010fd000096000000000000000000008001
            0000080045000014000000000000000000000000`,
        verdict: "next",
        malformed: true,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000008001
            c350005000001111000022225010ffff3e580000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "row 46: the range of ClusterIPs to its ends, and not beyond",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd00009600000000000000000000ffff
            c350005000001001000000005002ffffe1990000`,
        verdict: "drop",
        counts: { "drops.unallocated": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000007fff
            c350005000001001000000005002ffff619a0000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000010000
            c350005000001001000000005002ffffe1980000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "row 46: a datagram in pieces is refused with its first",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000282c40fd000000000000000000000000000010fd000096000000000000000000000001
            1100000100000007c35000510030c3b2000102030405060708090a0b0c0d0e0f
            1011121314151617`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000403a40fd000096000000000000000000000001fd000000000000000000000000000010
            0104e43a000000006000000000282c40fd000000000000000000000000000010
            fd0000960000000000000000000000011100000100000007c35000510030c3b2`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
        malformed: true,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000182c40fd000000000000000000000000000010fd000096000000000000000000000001
            110000200000000718191a1b1c1d1e1f2021222324252627`,
        verdict: "drop",
        counts: { "drops.fragment": 1 },
        malformed: true,
      },
    ],
    flows: [],
  },
]);
