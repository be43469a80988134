// SPDX-License-Identifier: Apache-2.0
// Over IPv4, packets to frontends that are refused, and what their senders are told.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("refusals over IPv4", services4, [
  {
    name: "no endpoints, TCP: port unreachable from the VIP, quoting the segment's header",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 4006265d 0a00000a 0a600009
            c350 0050 00001001 00000000 5002ffff c7ce 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000044 00004000 40012647 0a600009 0a00000a
            0303118a00000000
            45000028000140004006265d0a00000a0a600009
            c350005000001001000000005002ffffc7ce0000`,
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
            020000000021 02000000ff10 0800
            4500003c 00014000 40062649 0a00000a 0a600009
            c350 0050 00001001 00000000 a002ffff 5feb 0000 020405b40402080a000000010000000001030307`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000044 00004000 40012647 0a600009 0a00000a
            0303296d00000000
            4500003c00014000400626490a00000a0a600009
            c35000500000100100000000a002ffff5feb0000`,
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
            020000000021 02000000ff10 0800
            45000035 00014000 40112645 0a00000a 0a600009
            c350 0035 0021 4f1f
            61207175657374696f6e206f6620736f6d65206c656e677468`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000038 00004000 40012653 0a600009 0a00000a
            0303ea3600000000
            4500003500014000401126450a00000a0a600009
            c350003500214f1f`,
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
            020000000011 02000000ff99 0800
            45000028 00014000 4006d493 cb007105 c6336402
            c350 0050 00001001 00000000 5002ffff 7605 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 4006265f 0a00000a 0a600007
            c350 0050 00001001 00000000 5002ffff c7d0 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 4006265e 0a00000a 0a600008
            c350 0050 00001001 00000000 5002ffff c7cf 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001111 00002222 5010ffff a496 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00002222 00000000 50040000 b5b3 0000`,
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
            020000000021 02000000ff10 0800
            4500002c 00014000 40062661 0a00000a 0a600001
            c350 0050 00001111 00002222 5018ffff cbc7 0000
            64617461`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00002222 00000000 50040000 b5b3 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001111 00002222 5012ffff a494 0000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00002222 00000000 50040000 b5b3 0000`,
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
            020000000021 02000000ff10 0800
            4500002c 00014000 40062661 0a00000a 0a600001
            c350 0050 00001111 00000000 5001ffff ee00 0000
            64617461`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00000000 00001116 50140000 c6af 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001111 00000000 5001ffff c6c7 0000
            000000000000`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            45000028 00004000 40062666 0a600001 0a00000a
            0050 c350 00000000 00001112 50140000 c6b3 0000`,
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
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001111 00000000 5004ffff c6c4 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001111 00000001 5014ffff c6b3 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
]);
