// SPDX-License-Identifier: Apache-2.0
// Over IPv6, a new connection on the ports of one that is over.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("ports used again over IPv6", services6, [
  {
    name: "a closed flow and a new SYN: a new flow on the same ports",
    steps: [
      begun6.webSyn,
      begun6.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5011ffff c188 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5011ffff a2bf 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5011ffff a2bf 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5011ffff c188 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00009001 00000000 5002ffff 6198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00009001 00000000 5002ffff 42cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
    ],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080"],
  },
  {
    name: "RST from the backend closes at once",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5014ffff a2bc 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5014ffff c185 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00009001 00000000 5002ffff 6198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00009001 00000000 5002ffff 42cf 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
    ],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080"],
  },
  {
    name: "RST from the client closes a flow that was never answered",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5004ffff e196 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5004ffff c2cd 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
    ],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 rst rst_client"],
  },
  {
    name: "the SNAT port of a closed flow rests: a new SYN does not get it",
    steps: [
      begun6.nodePortSyn,
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8009900000000000000000005
            1f90 c350 00001001 00002001 5014ffff 7176 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            7580 c350 00001001 00002001 5014ffff eaea 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port.packets": 1, "port.bytes": 74 },
      },
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7580 00009001 00000000 5002ffff 8afd 0000`,
        verdict: "drop",
        counts: { "drops.snat_exhausted": 1 },
      },
    ],
    flows: [],
  },
]);
