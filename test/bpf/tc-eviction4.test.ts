// SPDX-License-Identifier: Apache-2.0
// Over IPv4, nascent records evicted one by one, as an LRU does under a flood of flows nobody answers.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("evicted over IPv4", services4, [
  {
    name: "the inner index: the client's next packet makes it again, and the reply finds its way",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        evicted: "inner",
        verdict: "next",
      },
      begun4.webSynAgain,
      begun4.webSynAck,
    ],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered"],
  },
  {
    name: "the inner index, and another flow takes the tuple: the first begins anew on another port",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062664 0a00000a 0a600002
            c350 0050 00001001 00000000 5002ffff c7d5 0000`,
        evicted: "inner",
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "twin.connections": 1, "twin.packets": 1, "twin.bytes": 54, "twin[0].connections": 1 },
      },
      begun4.webSynMapped,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062664 0a600002 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c4 0000`,
        markOut: MARK_OUT,
        counts: { "twin.packets": 1, "twin.bytes": 54 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afe2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c5 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 mapped 40000 answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.2:80 > 10.0.0.20:8080 answered",
    ],
  },
  {
    name: "the SNAT index: likewise",
    steps: [
      begun4.nodePortSyn,
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000028 00014000 40066eba 0a000014 c0000201
            1f90 9c40 00001001 00002001 5012ffff f7ea 0000`,
        evicted: "snat",
        verdict: "next",
      },
      { ...begun4.nodePortSyn, counts: { "port.packets": 1, "port.bytes": 54 } },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000028 00014000 40066eba 0a000014 c0000201
            1f90 9c40 00001001 00002001 5012ffff f7ea 0000`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000028 00014000 4006f4b5 0a000014 cb007105
            1f90 c350 00001001 00002001 5012ffff 56d6 0000`,
        markOut: MARK_IN,
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30080 > 10.0.0.20:8080 as 192.0.2.1:40000 answered"],
  },
  {
    name: "the owner: a reply that nobody can be asked about passes, the next packet makes the flow whole",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        evicted: "owner",
        verdict: "next",
      },
      begun4.webSynAgain,
      begun4.webSynAck,
    ],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered"],
  },
]);
