// SPDX-License-Identifier: Apache-2.0
// A pod talks to a ClusterIP over IPv6: VIP to backend at its edge, backend to VIP on the way back, nothing between.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("ClusterIP over IPv6", services6, [
  {
    name: "TCP from a pod to a ClusterIP and back: only the far end changes",
    steps: [
      begun6.webSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00002000 00002001 5012ffff 92bf 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00002000 00002001 5012ffff 92bf 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002000 00002001 5012ffff b188 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000260640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5018ffff e2cf 0000
            474554202f20485454502f312e300d0a0d0a`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000260640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5018ffff c406 0000
            474554202f20485454502f312e300d0a0d0a`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 92 },
      },
    ],
    flows: ["flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered"],
  },
  {
    name: "UDP from a pod to a ClusterIP and back: only the far end changes",
    steps: [
      begun6.dnsDatagram,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000d e996
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            60000000000d1140 fd000000000000000000000000000020 fd000000000000000000000000000010
            14e9 c350 000d df8c
            776f726c64`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000000000000000000000000000020 fd000000000000000000000000000010
            14e9 c350 000d df8c
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            60000000000d1140 fd000096000000000000000000000001 fd000000000000000000000000000010
            0035 c350 000d f3c9
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 67 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            60000000000b1140 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0035 000b 6e45
            6f6464`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            60000000000b1140 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 14e9 000b 5a08
            6f6464`,
        markOut: MARK_IN,
        counts: { "dns.packets": 1, "dns.bytes": 65 },
      },
    ],
    flows: ["flows owner [fd00::10]:50000 > [fd00:96::1]:53 > [fd00::20]:5353 answered"],
  },
]);
