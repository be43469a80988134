// SPDX-License-Identifier: Apache-2.0
// Over IPv4, connections of the host and packets seen before: SNAT claims and PASS records (clause E2), marks (clause E3).

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("host sockets and marks over IPv4", services4, [
  {
    name: "E2, TCP: what leaves from a frontend's address and port is a host socket's; its replies pass",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 40063cc8 c0000201 cb007105
            7580 1388 00001001 00002001 5012ffff f8c0 0000`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            1388 7580 00001001 00002001 5010ffff f8c2 0000`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            1388 7580 00001001 00002001 5010ffff f8c2 0000`,
        verdict: "next",
      },
    ],
    flows: ["nascent pass 192.0.2.1:30080 > 203.0.113.5:5000"],
  },
  {
    name: "E2, UDP: what leaves from a frontend's address and port is a host socket's; its replies pass",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 40113cc4 c0000201 cb007105
            7565 1388 000d 350d
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 40113cc4 cb007105 c0000201
            1388 7565 000d 350d
            68656c6c6f`,
        verdict: "next",
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 40113cc4 cb007105 c0000201
            1388 7565 000d 350d
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: ["nascent pass 192.0.2.1:30053 > 203.0.113.5:5000"],
  },
  {
    name: "E2: a host packet from elsewhere leaves no record",
    steps: [
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 40113cc4 c0000201 cb007105
            1388 0035 000d aa3d
            68656c6c6f`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E2: a host packet on a claimed SNAT tuple is refused by name when no other port is free",
    steps: [
      begun4.nodePortSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000028 00014000 40066eba c0000201 0a000014
            9c40 1f90 00001001 00000000 5002ffff 17fc 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30080 > 10.0.0.20:8080 as 192.0.2.1:40000"],
  },
  {
    name: "E2: a SNAT tuple that netfilter tracks is taken",
    before: [
      "conntrack -I -p tcp -s 192.0.2.1 -d 10.0.0.20 --sport 40000 --dport 8080 --state ESTABLISHED --timeout 60",
    ],
    after: ["conntrack -D -p tcp -s 192.0.2.1 -d 10.0.0.20 --sport 40000 --dport 8080"],
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7580 00001001 00000000 5002ffff 6909 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        mark: 0x4001,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: 0x4001 | MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        mark: MARK_OUT,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        mark: 0x4001,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c5 0000`,
        markOut: 0x4001 | MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
    ],
  },
]);
