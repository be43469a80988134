// SPDX-License-Identifier: Apache-2.0
// Over IPv4, packets with options: translated around, and kept.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("headers kept over IPv4", services4, [
  {
    name: "IPv4 options: no operation",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4600002c 00014000 40062360 0a00000a 0a600001 01010100
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4600002c 00014000 400623ad 0a00000a 0a000014 01010100
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 58, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "IPv4 options: router alert and record route, UDP",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            49000031 00014000 40118341 0a00000a 0a600001 94040000070b04000000000000000000
            c350 0035 000d e411
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            49000031 00014000 4011838e 0a00000a 0a000014 94040000070b04000000000000000000
            c350 14e9 000d cfaa
            68656c6c6f`,
        markOut: MARK_IN,
        counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 63, "dns[0].connections": 1 },
      },
    ],
  },
  {
    name: "IPv4 options: 40 bytes, as many as fit",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4f000050 00014000 40060833 0a00000a 0a600001 01010100010101000101010001010100010101000101010001010100010101000101010001010100
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4f000050 00014000 40060880 0a00000a 0a000014 01010100010101000101010001010100010101000101010001010100010101000101010001010100
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 94, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "DSCP and ECN stay",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45ba0028 00014000 400625ab 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45ba0028 00014000 400625f8 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "fragmentation allowed, identification kept",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 beef4000 40066776 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 beef4000 400667c3 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
    ],
  },
  {
    name: "IPv4 options on the way back",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4600002c 00014000 40062360 0a00000a 0a600001 01010100
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            4600002c 00014000 400623ad 0a00000a 0a000014 01010100
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 58, "web[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            4600002c 00014000 400623ad 0a000014 0a00000a 01010100
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            4600002c 00014000 40062360 0a600001 0a00000a 01010100
            0050 c350 00001001 00002001 5012ffff a7c5 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 58 },
      },
    ],
  },
  {
    name: "a segment of no connection behind such headers is dropped, not answered",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4600002c 00014000 40062360 0a00000a 0a600001 01010100
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
        verdict: "drop",
        counts: { "web.rejects": 1, "drops.no_flow": 1 },
      },
    ],
    flows: [],
  },
  {
    name: "no endpoints: the quote holds such headers whole",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            46000025 00014000 40112354 0a00000a 0a600009 01010100
            c350 0035 000d e409
            68656c6c6f`,
        verdict: "redirect",
        out: `
            02000000ff10 020000000021 0800
            4500003c 00004000 4001264f 0a600009 0a00000a
            0303556000000000
            4600002500014000401123540a00000a0a60000901010100
            c3500035000de409`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-dns.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
    flows: [],
  },
]);
