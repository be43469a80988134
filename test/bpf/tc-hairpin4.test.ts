// SPDX-License-Identifier: Apache-2.0
// Over IPv4, a pod that meets itself behind a VIP.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("hairpins over IPv4", services4, [
  {
    name: "hairpin: a pod that meets itself sees the node address",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062663 0a00000a 0a600003
            c350 0050 00001001 00000000 5002ffff c7d4 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            c350 1f90 00001001 00000000 5002ffff a8ed 0000`,
        markOut: MARK_IN,
        counts: { "self.connections": 1, "self.packets": 1, "self.bytes": 54, "self[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f0627bc 0a00000a 0a00000a
            c350 1f90 00001001 00000000 5002ffff a8ed 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f066fc4 c0000201 0a00000a
            9c40 1f90 00001001 00000000 5002ffff 1806 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066ec4 0a00000a c0000201
            1f90 9c40 00001001 00002001 5012ffff f7f4 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88dc 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88dc 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062663 0a600003 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c3 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "self.packets": 1, "self.bytes": 54 },
      },
    ],
  },
  {
    name: "hairpin from the very port the pod serves on: the two ends are kept apart by another client port",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062663 0a00000a 0a600003
            1f90 0050 00001001 00000000 5002ffff 6b95 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            9c40 1f90 00001001 00000000 5002ffff cffd 0000`,
        markOut: MARK_IN,
        counts: { "self.connections": 1, "self.packets": 1, "self.bytes": 54, "self[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f0627bc 0a00000a 0a00000a
            9c40 1f90 00001001 00000000 5002ffff cffd 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f066fc4 c0000201 0a00000a
            9c40 1f90 00001001 00000000 5002ffff 1806 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066ec4 0a00000a c0000201
            1f90 9c40 00001001 00002001 5012ffff f7f4 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afec 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626bc 0a00000a 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afec 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062663 0a600003 0a00000a
            0050 1f90 00001001 00002001 5012ffff 4b84 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "self.packets": 1, "self.bytes": 54 },
      },
    ],
    flows: ["nascent owner 10.0.0.10:8080 > 10.96.0.3:80 > 10.0.0.10:8080 mapped 40000 as 192.0.2.1:40000 answered"],
  },
  {
    name: "hairpin on a bridge port goes up through the bridge, because no port sends back where a frame came from (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 0800
            45000028 00014000 40062561 0a00010a 0a600005
            c350 0050 00001001 00000000 5002ffff c6d2 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 0800
            45000028 00014000 400624bc 0a00010a 0a00010a
            c350 1f90 00001001 00000000 5002ffff a6ed 0000`,
        markOut: MARK_IN,
        counts: {
          "bridged-self.connections": 1,
          "bridged-self.packets": 1,
          "bridged-self.bytes": 54,
          "bridged-self[0].connections": 1,
        },
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 020000000031 0800
            45000028 00014000 3f0625bc 0a00010a 0a00010a
            c350 1f90 00001001 00000000 5002ffff a6ed 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000031 0800
            45000028 00014000 3f0625c5 0a000101 0a00010a
            9c40 1f90 00001001 00000000 5002ffff ce06 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 0800
            45000028 00014000 400624c5 0a00010a 0a000101
            1f90 9c40 00001001 00002001 5012ffff adf5 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 0800
            45000028 00014000 400624bc 0a00010a 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86dc 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 020000000031 0800
            45000028 00014000 400624bc 0a00010a 0a00010a
            1f90 c350 00001001 00002001 5012ffff 86dc 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000031 0800
            45000028 00014000 40062561 0a600005 0a00010a
            0050 c350 00001001 00002001 5012ffff a6c1 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "bridged-self.packets": 1, "bridged-self.bytes": 54 },
      },
    ],
  },
]);
