// SPDX-License-Identifier: Apache-2.0
// Over IPv4, clause E1: connections to a backend itself beside those that come to it through a VIP.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("direct connections over IPv4", services4, [
  {
    name: "E1, TCP: a direct packet on a tuple that a VIP's flow holds gets a port of its own",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            9c40 1f90 00001001 00000000 5002ffff cff3 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afe2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        markOut: MARK_OUT,
      },
      begun4.webSynAck,
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.0.0.20:8080 > 10.0.0.20:8080 mapped 40000 direct answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
    ],
  },
  {
    name: "E1, UDP: a direct packet on a tuple that a VIP's flow holds gets a port of its own",
    steps: [
      begun4.dnsDatagram,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            c350 14e9 000d cfaa
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000021 00014000 401126ae 0a00000a 0a000014
            9c40 14e9 000d f6ba
            68656c6c6f`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 9c40 000d ecb0
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d c5a0
            776f726c64`,
        markOut: MARK_OUT,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000021 00014000 401126ae 0a000014 0a00000a
            14e9 c350 000d c5a0
            776f726c64`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000021 00014000 40112661 0a600001 0a00000a
            0035 c350 000d da07
            776f726c64`,
        markOut: MARK_OUT,
        counts: { "dns.packets": 1, "dns.bytes": 47 },
      },
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.0.0.20:5353 > 10.0.0.20:5353 mapped 40000 direct answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:53 > 10.0.0.20:5353 answered",
    ],
  },
  {
    name: "E1: a direct SYN on a tuple nobody claimed is none of our business",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E1: a VIP's flow that is over leaves its tuple to a direct connection",
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
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00009001 00000000 5002ffff 28e3 0000`,
        verdict: "next",
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
        verdict: "next",
      },
    ],
    flows: [],
  },
  {
    name: "E1: a direct connection that nobody tracks was there first: the flow gives way and begins anew on another port",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00007001 00005001 5010ffff f8d3 0000`,
        verdict: "next",
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            4500002c 00014000 400626ae 0a00000a 0a000014
            c350 1f90 00001001 00002001 5018ffff acf9 0000
            6d696e65`,
        verdict: "next",
        markOut: MARK_IN,
      },
      begun4.webSynMapped,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 9c40 00001001 00002001 5012ffff afe2 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5012ffff a7c5 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            4500002d 00014000 400626ad 0a000014 0a00000a
            1f90 c350 00001001 00002001 5018ffff 26e5 0000
            796f757273`,
        verdict: "next",
        markOut: MARK_OUT,
      },
    ],
    flows: [
      "nascent owner 10.0.0.10:50000 > 10.0.0.20:8080 > 10.0.0.20:8080 direct answered",
      "nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 mapped 40000 answered",
    ],
  },
]);
