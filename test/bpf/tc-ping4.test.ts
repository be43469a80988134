// SPDX-License-Identifier: Apache-2.0
// Over IPv4, addresses of Services that answer ping.

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
            0800606212340007000102030405060708090a0b0c0d0e0f1011121314151617
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
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebf`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            450005dc00004000400120b70a6000010a00000a
            0000686212340007000102030405060708090a0b0c0d0e0f1011121314151617
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
            98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7
            b8b9babbbcbdbebf`,
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
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            4500002800014000400626650a00000a0a600001
            c350005100001001000000005002ffffc7d50000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            45000044000040004001264f0a6000010a00000a
            03031182000000004500002800014000400626650a00000a0a600001c3500051
            00001001000000005002ffffc7d50000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.unused_port": 1 },
        },
      ],
      flows: [],
    },
  ],
  { rodata: { vip_ping: u32(1) } },
);
