// SPDX-License-Identifier: Apache-2.0
// Over IPv6, connections for which the flow table has no room, and those that take none of it.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table(
  "a flow table of one record over IPv6",
  services6,
  [
    {
      name: "a table with room for the index only refuses the client that goes on, and nothing half made stays in it",
      steps: [
        begun6.webSyn,
        begun6.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002001 00000000 50040000 d196 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
          verdict: "redirect",
          out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002001 00000000 50040000 d196 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
      ],
      flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered"],
    },
  ],
  { sizes: { flows: 1 } },
);

table(
  "a flow table of two records over IPv6",
  services6,
  [
    {
      name: "likewise for a masqueraded flow",
      steps: [
        begun6.nodePortSyn,
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
        {
          at: "ingress uplink",
          packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7580 00001001 00002001 5010ffff eaee 0000`,
          verdict: "redirect",
          out: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            7580 c350 00002001 00000000 50040000 fafb 0000`,
          markOut: MARK_IN | MARK_OUT,
          counts: { "drops.flow_table_full": 1 },
        },
      ],
      flows: [
        "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000 answered",
      ],
    },
    {
      name: "SYNs that are answered and never acknowledged take no room in it: a forged sender gets no further",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c351 0050 00001001 00000000 5002ffff e197 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c351 1f90 00001001 00000000 5002ffff c2ce 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c351 00001001 00002001 5012ffff a2bd 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c351 00001001 00002001 5012ffff c186 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c352 0050 00001001 00000000 5002ffff e196 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c352 1f90 00001001 00000000 5002ffff c2cd 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c352 00001001 00002001 5012ffff a2bc 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c352 00001001 00002001 5012ffff c185 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
        begun6.webSyn,
        begun6.webSynAck,
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5010ffff a2c0 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
      ],
      flows: [
        "flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
        "nascent owner [fd00::10]:50001 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
        "nascent owner [fd00::10]:50002 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
      ],
    },
    {
      name: "nor those whose sender resets what it never asked for",
      steps: [
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c351 0050 00001001 00000000 5002ffff e197 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c351 1f90 00001001 00000000 5002ffff c2ce 0000`,
          markOut: MARK_IN,
          counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
        },
        {
          at: "egress client",
          packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c351 00001001 00002001 5012ffff a2bd 0000`,
          verdict: "next",
          out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c351 00001001 00002001 5012ffff c186 0000`,
          markOut: MARK_OUT,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
        {
          at: "ingress client",
          packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c351 0050 00002001 00000000 50040000 d195 0000`,
          verdict: "next",
          out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c351 1f90 00002001 00000000 50040000 b2cc 0000`,
          markOut: MARK_IN,
          counts: { "web.packets": 1, "web.bytes": 74 },
        },
      ],
      flows: ["nascent owner [fd00::10]:50001 > [fd00:96::1]:80 > [fd00::20]:8080 answered rst rst_client"],
    },
  ],
  { sizes: { flows: 2 } },
);
