// SPDX-License-Identifier: Apache-2.0
// Over IPv4, addresses of Services that answer ping.

import { begun4 } from "./support/begun.ts";
import { counting } from "./support/hex.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

table(
  "VIPs that answer ping over IPv4",
  services4,
  [
    {
      name: "a ClusterIP answers, whatever hops the request has left",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002000014000110155720a00000a0a600001
            080006f41234000770696e67`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            4500002000004000400126730a6000010a00000a
            00000ef41234000770696e67`,
          markOut: MARK_IN | MARK_OUT,
        },
      ],
      flows: [],
    },
    {
      name: "an external IP answers whoever is outside, with an odd payload",
      steps: [
        {
          at: "ingress uplink",
          packet: `
            020000000011 02000000ff99 0800
            4500001f00014000110103a3cb007105c6336401
            08001260123400076f6464`,
          verdict: "redirect",
          out: `
            02000000ff99 020000000011 0800
            4500001f000040004001d4a3c6336401cb007105
            00001a60123400076f6464`,
          markOut: MARK_IN | MARK_OUT,
        },
      ],
      flows: [],
    },
    {
      name: "a request without a payload",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500001c00014000110155760a00000a0a600001
            0800e5c412340007`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            4500001c00004000400126770a6000010a00000a
            0000edc412340007`,
          markOut: MARK_IN | MARK_OUT,
        },
      ],
      flows: [],
    },
    {
      name: "a request as large as the MTU",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            450005dc0001400011014fb60a00000a0a600001
            0800606212340007 ${counting(1472)}`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            450005dc00004000400120b70a6000010a00000a
            0000686212340007 ${counting(1472)}`,
          markOut: MARK_IN | MARK_OUT,
        },
      ],
      flows: [],
    },
    {
      name: "row 46: an address that no Service has stays silent",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            450000200001400040015e710a00000a0a60c801
            080006f41234000770696e67`,
          verdict: "drop",
          counts: { "drops.unallocated": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "the node's own address is the node's to answer",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            450000200001400040016ed10a00000ac0000201
            080006f41234000770696e67`,
          verdict: "next",
        },
      ],
      flows: [],
    },
    {
      name: "an echo reply asks for nothing",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002000014000400126720a00000a0a600001
            00000ef41234000770696e67`,
          verdict: "next",
        },
      ],
      flows: [],
    },
    {
      name: "a request in pieces passes",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500003c000920004001464e0a00000a0a600001
            0800e5c412340007000000000000000000000000000000000000000000000000
            0000000000000000`,
          verdict: "next",
          malformed: true,
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500003400090005400166510a00000a0a600001
            0000000000000000000000000000000000000000000000000000000000000000`,
          verdict: "next",
          malformed: true,
        },
      ],
      flows: [],
    },
    {
      name: "row 46: an unused port is refused all the same",
      steps: [begun4.unusedPort],
      flows: [],
    },
  ],
  { rodata: { vip_ping: u32(1) } },
);
