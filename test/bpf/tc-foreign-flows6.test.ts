// SPDX-License-Identifier: Apache-2.0
// Over IPv6, connections of the host and packets seen before: SNAT claims and PASS records (clause E2), marks (clause E3).

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("host sockets and marks over IPv6", services6, [
  {
    name: "E2, TCP: what leaves from a frontend's address and port is a host socket's; its replies pass",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            7580 1388 00001001 00002001 5012ffff 9ab5 0000`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            1388 7580 00001001 00002001 5010ffff 9ab7 0000`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            1388 7580 00001001 00002001 5010ffff 9ab7 0000`,
        verdict: "next",
      },
    ],
    flows: ["nascent pass [2001:db8:2::1]:30080 > [2001:db8:99::5]:5000"],
  },
  {
    name: "E2, UDP: what leaves from a frontend's address and port is a host socket's; its replies pass",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000000d1140 20010db8000200000000000000000001 20010db8009900000000000000000005
            7565 1388 000d d701
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8009900000000000000000005 20010db8000200000000000000000001
            1388 7565 000d d701
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8009900000000000000000005 20010db8000200000000000000000001
            1388 7565 000d d701
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: ["nascent pass [2001:db8:2::1]:30053 > [2001:db8:99::5]:5000"],
  },
  {
    name: "E2: a host packet from elsewhere leaves no record",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000000d1140 20010db8000200000000000000000001 20010db8009900000000000000000005
            1388 0035 000d 4c32
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E2: a host packet on a claimed SNAT tuple is refused by name when no other port is free",
    steps: [
      begun6.nodePortSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            6000000000140640 20010db8000200000000000000000001 fd000000000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff b934 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
    ],
    flows: ["nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000"],
  },
  {
    name: "E2: a SNAT tuple that netfilter tracks is taken",
    before: [
      "conntrack -I -p tcp -s 2001:db8:2::1 -d fd00::20 --sport 40000 --dport 8080 --state ESTABLISHED --timeout 60",
    ],
    after: ["conntrack -D -p tcp -s 2001:db8:2::1 -d fd00::20 --sport 40000 --dport 8080"],
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7580 00001001 00000000 5002ffff 0afe 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "E3: what was translated on its way in is not translated in again",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        mark: MARK_IN | MARK_OUT,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E3: what was translated on its way out is not translated out again; other marks stay as they are",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        mark: 0x4001,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        markOut: 0x4001 | MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        mark: MARK_OUT,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a2be 0000`,
        mark: 0x4001,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff c187 0000`,
        markOut: 0x4001 | MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
    ],
  },
]);
