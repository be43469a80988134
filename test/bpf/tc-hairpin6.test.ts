// SPDX-License-Identifier: Apache-2.0
// Over IPv6, a pod that meets itself behind a VIP.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("hairpins over IPv6", services6, [
  {
    name: "hairpin: a pod that meets itself sees the node address",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000003
            c350 0050 00001001 00000000 5002ffff e196 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            c350 1f90 00001001 00000000 5002ffff c2df 0000`,
        markOut: MARK_IN,
        counts: { "self.connections": 1, "self.packets": 1, "self.bytes": 74, "self[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            600000000014063f fd000000000000000000000000000010 fd000000000000000000000000000010
            c350 1f90 00001001 00000000 5002ffff c2df 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            600000000014063f 20010db8000200000000000000000001 fd000000000000000000000000000010
            9c40 1f90 00001001 00000000 5002ffff b944 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000001
            1f90 9c40 00001001 00002001 5012ffff 9933 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2ce 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2ce 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000003 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c185 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "self.packets": 1, "self.bytes": 74 },
      },
    ],
  },
  {
    name: "hairpin from the very port the pod serves on: the two ends are kept apart by another client port",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000003
            1f90 0050 00001001 00000000 5002ffff 8557 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            9c40 1f90 00001001 00000000 5002ffff e9ef 0000`,
        markOut: MARK_IN,
        counts: { "self.connections": 1, "self.packets": 1, "self.bytes": 74, "self[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            600000000014063f fd000000000000000000000000000010 fd000000000000000000000000000010
            9c40 1f90 00001001 00000000 5002ffff e9ef 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            600000000014063f 20010db8000200000000000000000001 fd000000000000000000000000000010
            9c40 1f90 00001001 00000000 5002ffff b944 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000001
            1f90 9c40 00001001 00002001 5012ffff 9933 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            1f90 9c40 00001001 00002001 5012ffff c9de 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000010
            1f90 9c40 00001001 00002001 5012ffff c9de 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000003 fd000000000000000000000000000010
            0050 1f90 00001001 00002001 5012ffff 6546 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "self.packets": 1, "self.bytes": 74 },
      },
    ],
    flows: [
      "nascent owner [fd00::10]:8080 > [fd00:96::3]:80 > [fd00::10]:8080 mapped 40000 as [2001:db8:2::1]:40000 answered",
    ],
  },
  {
    name: "hairpin on a bridge port goes up through the bridge, because no port sends back where a frame came from (E4)",
    steps: [
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000096000000000000000000000005
            c350 0050 00001001 00000000 5002ffff e193 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000010
            c350 1f90 00001001 00000000 5002ffff c2dd 0000`,
        markOut: MARK_IN,
        counts: {
          "bridged-self.connections": 1,
          "bridged-self.packets": 1,
          "bridged-self.bytes": 74,
          "bridged-self[0].connections": 1,
        },
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 020000000031 86dd
            600000000014063f fd000001000000000000000000000010 fd000001000000000000000000000010
            c350 1f90 00001001 00000000 5002ffff c2dd 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000031 86dd
            600000000014063f fd000001000000000000000000000001 fd000001000000000000000000000010
            9c40 1f90 00001001 00000000 5002ffff e9fc 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress portA",
        packet: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000001
            1f90 9c40 00001001 00002001 5012ffff c9eb 0000`,
        verdict: "next",
        out: `
            020000000031 02000000ff10 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2cc 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress portA",
        packet: `
            02000000ff10 020000000031 86dd
            6000000000140640 fd000001000000000000000000000010 fd000001000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2cc 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000031 86dd
            6000000000140640 fd000096000000000000000000000005 fd000001000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c182 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "bridged-self.packets": 1, "bridged-self.bytes": 74 },
      },
    ],
  },
]);
