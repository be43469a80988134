// SPDX-License-Identifier: Apache-2.0
// Over IPv6, nascent records evicted one by one, as an LRU does under a flood of flows nobody answers.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("evicted over IPv6", services6, [
  {
    name: "the inner index: the client's next packet makes it again, and the reply finds its way",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        evicted: "inner",
        verdict: "next",
      },
      begun6.webSynAgain,
      begun6.webSynAck,
    ],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered"],
  },
  {
    name: "the inner index, and another flow takes the tuple: the first begins anew on another port",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000002
            c350 0050 00001001 00000000 5002ffff e197 0000`,
        evicted: "inner",
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "twin.connections": 1, "twin.packets": 1, "twin.bytes": 74, "twin[0].connections": 1 },
      },
      begun6.webSynMapped,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000002 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c186 0000`,
        markOut: MARK_OUT,
        counts: { "twin.packets": 1, "twin.bytes": 74 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 9c40 00001001 00002001 5012ffff c9ce 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c187 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
    ],
    flows: [
      "nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 mapped 40000 answered",
      "nascent owner [fd00::10]:50000 > [fd00:96::2]:80 > [fd00::20]:8080 answered",
    ],
  },
  {
    name: "the SNAT index: likewise",
    steps: [
      begun6.nodePortSyn,
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8000200000000000000000001
            1f90 9c40 00001001 00002001 5012ffff 9923 0000`,
        evicted: "snat",
        verdict: "next",
      },
      { ...begun6.nodePortSyn, counts: { "port.packets": 1, "port.bytes": 74 } },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8000200000000000000000001
            1f90 9c40 00001001 00002001 5012ffff 9923 0000`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8009900000000000000000005
            1f90 c350 00001001 00002001 5012ffff 7178 0000`,
        markOut: MARK_IN,
      },
    ],
    flows: [
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000 answered",
    ],
  },
  {
    name: "the owner: a reply that nobody can be asked about passes, the next packet makes the flow whole",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        evicted: "owner",
        verdict: "next",
      },
      begun6.webSynAgain,
      begun6.webSynAck,
    ],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered"],
  },
]);
