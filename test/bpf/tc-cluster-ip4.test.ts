// SPDX-License-Identifier: Apache-2.0
// A pod talks to a ClusterIP over IPv4: VIP to backend at its edge, backend to VIP on the way back, nothing between.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("ClusterIP over IPv4", services4, [
  {
    name: "TCP from a pod to a ClusterIP and back: only the far end changes",
    steps: [
      begun4.webSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00002000 00002001 5012ffff 78d3 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00002000 00002001 5012ffff 78d3 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00002000 00002001 5012ffff 97c6 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500003a 00014000 40062653 0a00000a 0a600001
            c350 0050 00001001 00002001 5018ffff c90d 0000
            474554202f20485454502f312e300d0a0d0a`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500003a 00014000 400626a0 0a00000a 0a000014
            c350 1f90 00001001 00002001 5018ffff aa1a 0000
            474554202f20485454502f312e300d0a0d0a`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 72 },
      },
    ],
    flows: ["flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered"],
  },
  {
    name: "UDP from a pod to a ClusterIP and back: only the far end changes",
    steps: [
      begun4.dnsDatagram,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            c350 14e9 000d cfaa
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d c5a0
            776f726c64`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d c5a0
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 40112661 0a600001 0a00000a
            0035 c350 000d da07
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 47 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001f 00014000 40112663 0a00000a 0a600001
            c350 0035 000b 5483
            6f6464`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001f 00014000 401126b0 0a00000a 0a000014
            c350 14e9 000b 401c
            6f6464`,
        markOut: MARK_IN,
        counts: { "dns.packets": 1, "dns.bytes": 45 },
      },
    ],
    flows: ["flows owner 10.0.0.10:50000 > 10.96.0.1:53 > 10.0.0.20:5353 answered"],
  },
  {
    name: "UDP without a checksum from a pod to a ClusterIP and back: only the far end changes",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000021 00014000 40112661 0a00000a 0a600001
            c350 0035 000d 0000
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            c350 14e9 000d 0000
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 47, "dns[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            c350 14e9 000d 0000
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d 0000
            776f726c64`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d 0000
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 40112661 0a600001 0a00000a
            0035 c350 000d 0000
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 47 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500001f 00014000 40112663 0a00000a 0a600001
            c350 0035 000b 0000
            6f6464`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4500001f 00014000 401126b0 0a00000a 0a000014
            c350 14e9 000b 0000
            6f6464`,
        markOut: MARK_IN,
        counts: { "dns.packets": 1, "dns.bytes": 45 },
      },
    ],
    flows: ["flows owner 10.0.0.10:50000 > 10.96.0.1:53 > 10.0.0.20:5353 answered"],
  },
]);
