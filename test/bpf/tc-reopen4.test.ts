// SPDX-License-Identifier: Apache-2.0
// Over IPv4, a new connection on the ports of one that is over.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("ports used again over IPv4", services4, [
  {
    name: "a closed flow and a new SYN: a new flow on the same ports",
    steps: [
      begun4.webSyn,
      begun4.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5011ffff a7c6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5011ffff 88d3 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5011ffff 88d3 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5011ffff a7c6 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00009001 00000000 5002ffff 47d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00009001 00000000 5002ffff 28e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
    ],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080"],
  },
  {
    name: "RST from the backend closes at once",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5014ffff 88d0 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5014ffff a7c3 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00009001 00000000 5002ffff 47d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00009001 00000000 5002ffff 28e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
    ],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080"],
  },
  {
    name: "RST from the client closes a flow that was never answered",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00000000 5004ffff c7d4 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5004ffff a8e1 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
    ],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 rst rst_client"],
  },
  {
    name: "the SNAT port of a closed flow rests: a new SYN does not get it",
    steps: [
      begun4.nodePortSyn,
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 4006f4b5 0a000014 cb007105
            1f90 c350 00001001 00002001 5014ffff 56d4 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000028 00014000 40063cc8 c0000201 cb007105
            7580 c350 00001001 00002001 5014ffff 48f6 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port.packets": 1, "port.bytes": 54 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7580 00009001 00000000 5002ffff e908 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
    ],
    flows: [],
  },
]);
