// SPDX-License-Identifier: Apache-2.0
// Over IPv6, ICMP errors that quote a packet of a translated connection (clause E7): message and quote come out as the
// end that they go to knows the connection, every checksum right.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("ICMP errors over IPv6", services6, [
  {
    name: "port unreachable from a masqueraded backend goes to the client, from the NodePort",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            60000000003d3a40 fd000000000000000000000000000020 20010db8000200000000000000000001
            01046279 00000000
            60000000000d113f 20010db8000200000000000000000001 fd000000000000000000000000000020
            9c40 14e9 000d dffb 68656c6c6f`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 86dd
            60000000003d3a40 fd000000000000000000000000000020 20010db8009900000000000000000005
            010461de 00000000
            60000000000d113f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 14e9 000d b850 68656c6c6f`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000003d3a3f fd000000000000000000000000000020 20010db8009900000000000000000005
            010461de 00000000
            60000000000d113f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 14e9 000d b850 68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            60000000003d3a3f 20010db8000200000000000000000001 20010db8009900000000000000000005
            01043143 00000000
            60000000000d113f 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7565 000d 2739 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 115 },
      },
    ],
  },
  {
    name: "packet too big, said of a reply by a router on the client's side, goes to the backend that sent it",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            60000000003d3a40 20010db8005100000000000000000009 20010db8000200000000000000000001
            02002b7a 00000514
            60000000000d113c 20010db8000200000000000000000001 20010db8009900000000000000000005
            7565 c350 000d 2739 68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            60000000003d3a40 20010db8005100000000000000000009 fd000000000000000000000000000020
            02005c15 00000514
            60000000000d113c fd000000000000000000000000000020 20010db8009900000000000000000005
            14e9 c350 000d b850 68656c6c6f`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 115 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            60000000003d3a3f 20010db8005100000000000000000009 fd000000000000000000000000000020
            02005c15 00000514
            60000000000d113c fd000000000000000000000000000020 20010db8009900000000000000000005
            14e9 c350 000d b850 68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 86dd
            60000000003d3a3f 20010db8005100000000000000000009 fd000000000000000000000000000020
            02005c15 00000514
            60000000000d113c fd000000000000000000000000000020 20010db8000200000000000000000001
            14e9 9c40 000d dffb 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
    ],
  },
  {
    name: "time exceeded on the way to a ClusterIP: TCP quoted whole, also its checksum",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000443a40 20010db8005100000000000000000009 fd000000000000000000000000000010
            03006b62 00000000
            6000000000140601 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000443a40 20010db8005100000000000000000009 fd000000000000000000000000000010
            03006b62 00000000
            6000000000140601 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff e198 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 122 },
      },
    ],
  },
  {
    name: "time exceeded on the way to a ClusterIP: TCP quoted with eight bytes",
    steps: [
      begun6.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000383a40 20010db8005100000000000000000009 fd000000000000000000000000000010
            03007e40 00000000
            6000000000140601 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000383a40 20010db8005100000000000000000009 fd000000000000000000000000000010
            03009d09 00000000
            6000000000140601 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 110 },
      },
    ],
  },
  {
    name: "parameter problem said by the client of a reply goes to the backend, from the client",
    steps: [
      begun6.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000443a40 fd000000000000000000000000000010 fd000096000000000000000000000001
            04009aa0 00000000
            600000000014063e fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00000000 5002ffff e198 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000443a40 fd000000000000000000000000000010 fd000000000000000000000000000020
            04009b17 00000000
            600000000014063e fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00000000 5002ffff c2cf 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 122 },
      },
    ],
  },
]);
