// SPDX-License-Identifier: Apache-2.0
// Over IPv6, addresses of Services that answer ping, and a node that has told its senders enough.

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
            800000ee12340007000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaab`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000005b43a40fd000096000000000000000000000001fd000000000000000000000000000010
            8100ffed12340007000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7
            d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7
            f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011121314151617
            18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
            38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525354555657
            58595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677
            78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaab`,
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
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001001000000005002ffffe1970000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000000443a40fd000096000000000000000000000001fd000000000000000000000000000010
            01049d9a000000006000000000140640fd000000000000000000000000000010
            fd000096000000000000000000000001c350005100001001000000005002ffff
            e1970000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.unused_port": 1 },
        },
      ],
      flows: [],
    },
  ],
  { rodata: { vip_ping: u32(1) } },
);

table(
  "beyond the rate of replies, silence over IPv6",
  services6,
  [
    {
      name: "row 32: an unused port",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005100001001000000005002ffffe1970000`,
          verdict: "drop",
          counts: { "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: a ping",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            60000000000c3a40fd000000000000000000000000000010fd000096000000000000000000000001
            8000a63d0001000170696e67`,
          verdict: "drop",
          counts: { "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: a Service without endpoints",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000009
            c350005000001001000000005002ffffe1900000`,
          verdict: "drop",
          counts: { "nobody.rejects": 1, "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "row 32: TCP of no connection",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000022225010ffffbe580000`,
          verdict: "drop",
          counts: { "web.rejects": 1, "drops.reply_limit": 1 },
        },
      ],
      flows: [],
    },
    {
      name: "what is never answered is counted as what it is",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
            c350005000001111000000005004ffffe0860000`,
          verdict: "drop",
          counts: { "web.rejects": 1, "drops.no_flow": 1 },
        },
      ],
      flows: [],
    },
  ],
  { rodata: { reply_rate: u32(0), vip_ping: u32(1) } },
);
