// SPDX-License-Identifier: Apache-2.0
// Over IPv6, packets to frontends that are refused, and what their senders are told.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("refusals over IPv6", services6, [
  {
    name: "no endpoints, TCP: port unreachable from the VIP, quoting the segment's header",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000009
            c350 0050 00001001 00000000 5002ffff e190 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000443a40 fd000096000000000000000000000009 fd000000000000000000000000000010
            01049d9200000000
            6000000000140640fd000000000000000000000000000010fd000096000000000000000000000009
            c350005000001001000000005002ffffe1900000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "no endpoints, TCP with options: the quote ends with the fixed header",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000280640 fd000000000000000000000000000010 fd000096000000000000000000000009
            c350 0050 00001001 00000000 a002ffff 79ad 0000 020405b40402080a000000010000000001030307`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000443a40 fd000096000000000000000000000009 fd000000000000000000000000000010
            0104b56100000000
            6000000000280640fd000000000000000000000000000010fd000096000000000000000000000009
            c35000500000100100000000a002ffff79ad0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
  },
  {
    name: "no endpoints, UDP: port unreachable, quoting the UDP header",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000211140 fd000000000000000000000000000010 fd000096000000000000000000000009
            c350 0035 0021 68e1
            61207175657374696f6e206f6620736f6d65206c656e677468`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000383a40 fd000096000000000000000000000009 fd000000000000000000000000000010
            01046b3e00000000
            6000000000211140fd000000000000000000000000000010fd000096000000000000000000000009
            c3500035002168e1`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-dns.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "endpoints elsewhere only under externalTrafficPolicy Local: dropped without a word, and counted",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8005100000000000000000002
            c350 0050 00001001 00000000 5002ffff 7fde 0000`,
        verdict: "drop",
        counts: { "away.rejects": 1, "drops.no_local_endpoints": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "endpoints elsewhere only under internalTrafficPolicy Local: likewise",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000007
            c350 0050 00001001 00000000 5002ffff e192 0000`,
        verdict: "drop",
        counts: { "away-inside.rejects": 1, "drops.no_local_endpoints": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "a frontend that names a Service without a block",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000008
            c350 0050 00001001 00000000 5002ffff e191 0000`,
        verdict: "drop",
        counts: { "stale.rejects": 1, "drops.stale_service": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "an ACK of no connection is answered by RST with the number it acknowledged",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00002222 5010ffff be58 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002222 00000000 50040000 cf75 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "data of no connection is cut off in the RST",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000180640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00002222 5018ffff e589 0000
            64617461`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002222 00000000 50040000 cf75 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
  },
  {
    name: "a SYN-ACK to a frontend that nobody asked for is answered by RST",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00002222 5012ffff be56 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00002222 00000000 50040000 cf75 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
  },
  {
    name: "a FIN without ACK is acknowledged in the RST: its data and itself",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000180640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00000000 5001ffff 07c3 0000
            64617461`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00000000 00001116 50140000 e071 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
  },
  {
    name: "padding of the frame is no data",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00000000 5001ffff e089 0000
            000000000000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00000000 00001112 50140000 e075 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
        malformed: true,
      },
    ],
  },
  {
    name: "a RST of no connection is never answered",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00000000 5004ffff e086 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001111 00000001 5014ffff e075 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
]);
