// SPDX-License-Identifier: Apache-2.0
// Over IPv6, addresses of Services that answer ping.

import { begun6 } from "./support/begun.ts";
import { counting } from "./support/hex.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

table(
  "VIPs that answer ping over IPv6",
  services6,
  [
    {
      name: "a ClusterIP answers, whatever hops the request has left",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            60000000000c3a11fd000000000000000000000000000010fd000096000000000000000000000001
            800094041234000770696e67`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            60000000000c3a40fd000096000000000000000000000001fd000000000000000000000000000010
            810093041234000770696e67`,
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
            020000000011 02000000ff99 86dd
            60000000000b3a1120010db800710000000000000000000520010db8005100000000000000000001
            80003de0123400076f6464`,
          verdict: "redirect",
          out: `
            02000000ff99 020000000011 86dd
            60000000000b3a4020010db800510000000000000000000120010db8007100000000000000000005
            81003ce0123400076f6464`,
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
            020000000021 02000000ff10 86dd
            6000000000083a11fd000000000000000000000000000010fd000096000000000000000000000001
            800072d912340007`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000000083a40fd000096000000000000000000000001fd000000000000000000000000000010
            810071d912340007`,
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
            020000000021 02000000ff10 86dd
            6000000005b43a11fd000000000000000000000000000010fd000096000000000000000000000001
            800000ee12340007 ${counting(1452)}`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000005b43a40fd000096000000000000000000000001fd000000000000000000000000000010
            8100ffed12340007 ${counting(1452)}`,
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
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000008001
            800014041234000770696e67`,
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
            020000000021 02000000ff10 86dd
            60000000000c3a40fd00000000000000000000000000001020010db8000200000000000000000001
            800063e01234000770696e67`,
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
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000000001
            810093041234000770696e67`,
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
            020000000021 02000000ff10 86dd
            6000000000302c40fd000000000000000000000000000010fd000096000000000000000000000001
            3a00000100000009800072991234000700000000000000000000000000000000
            00000000000000000000000000000000`,
          verdict: "next",
          malformed: true,
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000282c40fd000000000000000000000000000010fd000096000000000000000000000001
            3a00002800000009000000000000000000000000000000000000000000000000
            0000000000000000`,
          verdict: "next",
          malformed: true,
        },
      ],
      flows: [],
    },
    {
      name: "row 46: an unused port is refused all the same",
      steps: [begun6.unusedPort],
      flows: [],
    },
  ],
  { rodata: { vip_ping: u32(1) } },
);
