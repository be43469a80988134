// SPDX-License-Identifier: Apache-2.0
// Over IPv6, clients and backends on the ports of a bridge (clause E4).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("bridge ports over IPv6", services6, [
  {
    name: "client and backend on one bridge: the request is addressed to the backend's MAC, the bridge forwards (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000096000000000000000000000004
            c350 0050 00001001 00000000 5002ffff e194 0000`,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cd 0000`,
        markOut: MARK_IN,
        counts: { "bridged.connections": 1, "bridged.packets": 1, "bridged.bytes": 74, "bridged[0].connections": 1 },
      },
      {
        at: "egress portB",
        packet: `
            02000000ff20 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cd 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress portB",
        packet: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 fd000001000000000000000000000020 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2bc 0000`,
        verdict: "next",
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 fd000001000000000000000000000020 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2bc 0000`,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 fd000096000000000000000000000004 fd000001000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c183 0000`,
        markOut: MARK_OUT,
        counts: { "bridged.packets": 1, "bridged.bytes": 74 },
      },
    ],
  },
  {
    name: "masqueraded on one bridge: the reply is addressed to the client's MAC again (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 20010db8005100000000000000000003
            c350 0050 00001001 00000000 5002ffff b122 0000`,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cd 0000`,
        markOut: MARK_IN,
        counts: {
          "bridged-outside.connections": 1,
          "bridged-outside.packets": 1,
          "bridged-outside.bytes": 74,
          "bridged-outside[0].connections": 1,
        },
      },
      {
        at: "egress portB",
        packet: `
            02000000ff20 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cd 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000001 fd000001000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff e9ec 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress portB",
        packet: `
            020000000031 02000000ff20 86dd
            6000000000140640 fd000001000000000000000000000020 fd000001000000000000000000000001
            1f90 9c40 00001001 00002001 5012ffff c9db 0000`,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 fd000001000000000000000000000020 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2bc 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 fd000001000000000000000000000020 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2bc 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 02000000ff20 86dd
            6000000000140640 20010db8005100000000000000000003 fd000001000000000000000000000010
            0050 c350 00001001 00002001 5012ffff 9111 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "bridged-outside.packets": 1, "bridged-outside.bytes": 74 },
      },
    ],
  },
  {
    name: "a backend on the bridge whose neighbour is unknown is resolved by redirect on the bridge (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000096000000000000000000000006
            c350 0050 00001001 00000000 5002ffff e192 0000`,
        verdict: "redirect",
        out: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000030
            c350 1f90 00001001 00000000 5002ffff c2bd 0000`,
        markOut: MARK_IN,
        counts: {
          "unresolved.connections": 1,
          "unresolved.packets": 1,
          "unresolved.bytes": 74,
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
            02000000ff77 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e197 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2ce 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
    ],
  },
]);
