// SPDX-License-Identifier: Apache-2.0
// Over IPv4, clients and backends on the ports of a bridge (clause E4).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("bridge ports over IPv4", services4, [
  {
    name: "client and backend on one bridge: the request is addressed to the backend's MAC, the bridge forwards (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 0800
            45000028 00014000 40062562 0a00010a 0a600004
            c350 0050 00001001 00000000 5002ffff c6d3 0000`,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 0800
            45000028 00014000 400624b2 0a00010a 0a000114
            c350 1f90 00001001 00000000 5002ffff a6e3 0000`,
        markOut: MARK_IN,
        counts: { "bridged.connections": 1, "bridged.packets": 1, "bridged.bytes": 54, "bridged[0].connections": 1 },
      },
      {
        at: "egress portB",
        packet: `
            02000000ff20 02000000ff10 0800
            45000028 00014000 400624b2 0a00010a 0a000114
            c350 1f90 00001001 00000000 5002ffff a6e3 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress portB",
        packet: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 400624b2 0a000114 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86d2 0000`,
        verdict: "next",
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 400624b2 0a000114 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86d2 0000`,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 40062562 0a600004 0a00010a
            0050 c350 00001001 00002001 5012ffff a6c2 0000`,
        markOut: MARK_OUT,
        counts: { "bridged.packets": 1, "bridged.bytes": 54 },
      },
    ],
  },
  {
    name: "masqueraded on one bridge: the reply is addressed to the client's MAC again (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 0800
            45000028 00014000 4006058f 0a00010a c6336403
            c350 0050 00001001 00000000 5002ffff a700 0000`,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 0800
            45000028 00014000 400624b2 0a00010a 0a000114
            c350 1f90 00001001 00000000 5002ffff a6e3 0000`,
        markOut: MARK_IN,
        counts: {
          "bridged-outside.connections": 1,
          "bridged-outside.packets": 1,
          "bridged-outside.bytes": 54,
          "bridged-outside[0].connections": 1,
        },
      },
      {
        at: "egress portB",
        packet: `
            02000000ff20 02000000ff10 0800
            45000028 00014000 400624b2 0a00010a 0a000114
            c350 1f90 00001001 00000000 5002ffff a6e3 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 0800
            45000028 00014000 400624bb 0a000101 0a000114
            9c40 1f90 00001001 00000000 5002ffff cdfc 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress portB",
        packet: `
            020000000031 02000000ff20 0800
            45000028 00014000 400624bb 0a000114 0a000101
            1f90 9c40 00001001 00002001 5012ffff adeb 0000`,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 400624b2 0a000114 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86d2 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 400624b2 0a000114 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86d2 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 0800
            45000028 00014000 4006058f c6336403 0a00010a
            0050 c350 00001001 00002001 5012ffff 86ef 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "bridged-outside.packets": 1, "bridged-outside.bytes": 54 },
      },
    ],
  },
  {
    name: "a backend on the bridge whose neighbour is unknown is resolved by redirect on the bridge (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 0800
            45000028 00014000 40062560 0a00010a 0a600006
            c350 0050 00001001 00000000 5002ffff c6d1 0000`,
        verdict: "redirect",
        out: `
            020000000031 02000000ff10 0800
            45000028 00014000 400624a8 0a00010a 0a00011e
            c350 1f90 00001001 00000000 5002ffff a6d9 0000`,
        markOut: MARK_IN,
        counts: {
          "unresolved.connections": 1,
          "unresolved.packets": 1,
          "unresolved.bytes": 54,
          "unresolved[0].connections": 1,
        },
      },
    ],
  },
  {
    name: "a backend behind another device is reached through the bridge's own MAC (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            02000000ff77 02000000ff10 0800
            45000028 00014000 40062565 0a00010a 0a600001
            c350 0050 00001001 00000000 5002ffff c6d6 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 0800
            45000028 00014000 400625b2 0a00010a 0a000014
            c350 1f90 00001001 00000000 5002ffff a7e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
    ],
  },
]);
