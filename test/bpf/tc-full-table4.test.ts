// SPDX-License-Identifier: Apache-2.0
// Over IPv4, connections for which the flow table has no room, and those that take none of it.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table(
  "a flow table of one record over IPv4",
  services4,
  [
    {
      name: "a table with room for the index only refuses the client that goes on, and nothing half made stays in it",
      steps: [
        begun4.webSyn,
        begun4.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00002001 00000000 50040000 b7d4 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00002001 00000000 50040000 b7d4 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
      ],
      flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered"],
    },
  ],
  { sizes: { flows: 1 } },
);

table(
  "a flow table of two records over IPv4",
  services4,
  [
    {
      name: "likewise for a masqueraded flow",
      steps: [
        begun4.nodePortSyn,
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
        {
          at: "ingress uplink",
          packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7580 00001001 00002001 5010ffff 48fa 0000`,
          verdict: "redirect",
          out: `
            02000000ff99 020000000011 0800
            45000028 00004000 40063cc9 c0000201 cb007105
            7580 c350 00002001 00000000 50040000 5907 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
      ],
      flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30080 > 10.0.0.20:8080 as 192.0.2.1:40000 answered"],
    },
    {
      name: "SYNs that are answered and never acknowledged take no room in it: a forged sender gets no further",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c351 0050 00001001 00000000 5002ffff c7d5 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c351 1f90 00001001 00000000 5002ffff a8e2 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c351 00001001 00002001 5012ffff 88d1 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c351 00001001 00002001 5012ffff a7c4 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c352 0050 00001001 00000000 5002ffff c7d4 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c352 1f90 00001001 00000000 5002ffff a8e1 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c352 00001001 00002001 5012ffff 88d0 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c352 00001001 00002001 5012ffff a7c3 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
        begun4.webSyn,
        begun4.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5010ffff 88d4 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
      ],
      flows: [
        "flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
        "nascent owner 10.0.0.10:50001 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
        "nascent owner 10.0.0.10:50002 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
      ],
    },
    {
      name: "nor those whose sender resets what it never asked for",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c351 0050 00001001 00000000 5002ffff c7d5 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c351 1f90 00001001 00000000 5002ffff a8e2 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c351 00001001 00002001 5012ffff 88d1 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c351 00001001 00002001 5012ffff a7c4 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c351 0050 00002001 00000000 50040000 b7d3 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c351 1f90 00002001 00000000 50040000 98e0 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 54 },
        },
      ],
      flows: ["nascent owner 10.0.0.10:50001 > 10.96.0.1:80 > 10.0.0.20:8080 answered rst rst_client"],
    },
  ],
  { sizes: { flows: 2 } },
);
