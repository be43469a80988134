// SPDX-License-Identifier: Apache-2.0
// Over IPv4, packets to addresses of Services, at ports and protocols that nothing serves.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("what nothing serves over IPv4", services4, [
  {
    name: "row 46: a SYN to another port of a ClusterIP is told that there is none, quoted",
    steps: [begun4.unusedPort],
    flows: [],
  },
  {
    name: "row 46: likewise from outside",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028000140004006f468cb0071050a600001
            c350005100001001000000005002ffff95d90000`,
        verdict: "redirect",
        out: `
            02000000ff99 020000000011 0800
            45000044000040004001f4520a600001cb007105
            0303437e0000000045000028000140004006f468cb0071050a600001c3500051
            00001001000000005002ffff95d90000`,
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
            020000000021 02000000ff10 0800
            45000026000140004011265c0a00000a0a600001
            c350005000120bde61207175657374696f6e`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038000040004001265b0a6000010a00000a
            03032d6c0000000045000026000140004011265c0a00000a0a600001c3500050
            00120bde`,
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
            020000000021 02000000ff10 0800
            4500002800014000402f263c0a00000a0a600001
            0000080045000014000000000000000000000000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038000040004001265b0a6000010a00000a
            0303afe8000000004500002800014000402f263c0a00000a0a60000100000800
            45000014`,
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
            020000000021 02000000ff10 0800
            4500002000014000400126720a00000a0a600001
            0800192d0001000170696e67`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038000040004001265b0a6000010a00000a
            0303dbcd000000004500002000014000400126720a00000a0a6000010800192d
            00010001`,
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
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005100001111000022225010ffffa4950000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            4500002800004000400626660a6000010a00000a
            0051c350000022220000000050040000b5b20000`,
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
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005100001111000000005004ffffc6c30000`,
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
            020000000021 02000000ff10 0800
            45000038000140004001265a0a00000a0a600001
            0301fce7000000004500002000014000401126620a6000010a00000a00050006
            000c0000`,
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
            020000000021 02000000ff10 0800
            4500002800014000400606910a00000ac6336401
            c350005100001001000000005002ffffa8010000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000020000140004001069e0a00000ac6336401
            0800192d0001000170696e67`,
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
            020000000021 02000000ff10 0800
            450000280001400040065e640a00000a0a60c801
            c350005000001001000000005002ffffffd50000`,
        verdict: "drop",
        counts: { "drops.unallocated": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            450000200001400040015e710a00000a0a60c801
            0800192d0001000170696e67`,
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
            020000000021 02000000ff10 0800
            450000260001400040115e5b0a00000a0a60c801
            c3500035001243f861207175657374696f6e`,
        verdict: "next", // netfilter says where it leaves whether it is new
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002800014000402f5e3b0a00000a0a60c801
            0000080045000014000000000000000000000000`,
        verdict: "next",
        malformed: true,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            450000280001400040065e640a00000a0a60c801
            c350005000001111000022225010ffffdc950000`,
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
            020000000021 02000000ff10 0800
            4500002800014000400626660a00000a0a60ffff
            c350005000001001000000005002ffffc7d70000`,
        verdict: "drop",
        counts: { "drops.unallocated": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028000140004006a6660a00000a0a607fff
            c350005000001001000000005002ffff47d80000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a610000
            c350005000001001000000005002ffffc7d60000`,
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
            020000000021 02000000ff10 0800
            4500003400072000401146480a00000a0a600001
            c35000510030a9f0000102030405060708090a0b0c0d0e0f1011121314151617`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038000040004001265b0a6000010a00000a
            03038f3a000000004500003400072000401146480a00000a0a600001c3500051
            0030a9f0`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "drops.unused_port": 1 },
        malformed: true,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002400070004401166540a00000a0a600001
            18191a1b1c1d1e1f2021222324252627`,
        verdict: "drop",
        counts: { "drops.fragment": 1 },
        malformed: true,
      },
    ],
    flows: [],
  },
]);
