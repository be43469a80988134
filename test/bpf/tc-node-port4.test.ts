// SPDX-License-Identifier: Apache-2.0
// From outside, over IPv4, to a backend on this node: DNAT at the client's edge, SNAT at the backend's, and back.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("NodePort over IPv4", services4, [
  {
    name: "TCP from outside to a NodePort: the pod sees the node address, the client the NodePort",
    steps: [
      begun4.nodePortSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000028 00014000 3f06f5b5 cb007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000028 00014000 3f066fba c0000201 0a000014
            9c40 1f90 00001001 00000000 5002ffff 17fc 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000028 00014000 40066eba 0a000014 c0000201
            1f90 9c40 00002000 00002001 5012ffff e7eb 0000`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000028 00014000 4006f4b5 0a000014 cb007105
            1f90 c350 00002000 00002001 5012ffff 46d7 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 3f06f5b5 0a000014 cb007105
            1f90 c350 00002000 00002001 5012ffff 46d7 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000028 00014000 3f063dc8 c0000201 cb007105
            7580 c350 00002000 00002001 5012ffff 38f9 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port.packets": 1, "port.bytes": 54 },
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30080 > 10.0.0.20:8080 as 192.0.2.1:40000 answered"],
  },
  {
    name: "UDP from outside to a NodePort: the pod sees the node address, the client the NodePort",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000021 00014000 3f11f5b1 cb007105 0a000014
            c350 14e9 000d 9dae
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000021 00014000 3f116fb6 c0000201 0a000014
            9c40 14e9 000d 3ec3
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000021 00014000 40116eb6 0a000014 c0000201
            14e9 9c40 000d 34b9
            776f726c64`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000021 00014000 4011f4b1 0a000014 cb007105
            14e9 c350 000d 93a4
            776f726c64`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 3f11f5b1 0a000014 cb007105
            14e9 c350 000d 93a4
            776f726c64`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000021 00014000 3f113dc4 c0000201 cb007105
            7565 c350 000d 7b3a
            776f726c64`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 47 },
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30053 > 10.0.0.20:5353 as 192.0.2.1:40000 answered"],
  },
  {
    name: "UDP without a checksum from outside to a NodePort: the pod sees the node address, the client the NodePort",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 40113cc4 cb007105 c0000201
            c350 7565 000d 0000
            68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000021 00014000 4011f4b1 cb007105 0a000014
            c350 14e9 000d 0000
            68656c6c6f`,
        markOut: MARK_IN,
        counts: {
          "port-dns.connections": 1,
          "port-dns.packets": 1,
          "port-dns.bytes": 47,
          "port-dns[0].connections": 1,
        },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000021 00014000 3f11f5b1 cb007105 0a000014
            c350 14e9 000d 0000
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000021 00014000 3f116fb6 c0000201 0a000014
            9c40 14e9 000d 0000
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            45000021 00014000 40116eb6 0a000014 c0000201
            14e9 9c40 000d 0000
            776f726c64`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            45000021 00014000 4011f4b1 0a000014 cb007105
            14e9 c350 000d 0000
            776f726c64`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000021 00014000 3f11f5b1 0a000014 cb007105
            14e9 c350 000d 0000
            776f726c64`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000021 00014000 3f113dc4 c0000201 cb007105
            7565 c350 000d 0000
            776f726c64`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 47 },
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30053 > 10.0.0.20:5353 as 192.0.2.1:40000 answered"],
  },
  {
    name: "externalTrafficPolicy Local keeps the client address and uses the local endpoint only",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7582 00001001 00000000 5002ffff 6907 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 4006f4b5 cb007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
        markOut: MARK_IN,
        counts: { "local.connections": 1, "local.packets": 1, "local.bytes": 54, "local[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000028 00014000 3f06f5b5 cb007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 4006f4b5 0a000014 cb007105
            1f90 c350 00001001 00002001 5012ffff 56d6 0000`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000028 00014000 40063cc8 c0000201 cb007105
            7582 c350 00001001 00002001 5012ffff 48f6 0000`,
        markOut: MARK_OUT,
        counts: { "local.packets": 1, "local.bytes": 54 },
      },
    ],
  },
  {
    name: "a pod reaches remote endpoints of a Local Service unmasqueraded",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40060690 0a00000a c6336402
            c350 0050 00001001 00000000 5002ffff a801 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066eb1 0a00000a c0000214
            c350 1f90 00001001 00000000 5002ffff f0e2 0000`,
        markOut: MARK_IN,
        counts: { "away.connections": 1, "away.packets": 1, "away.bytes": 54, "away[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 3f066fb1 0a00000a c0000214
            c350 1f90 00001001 00000000 5002ffff f0e2 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
    ],
  },
  {
    name: "a ClusterIP reached from outside is masqueraded",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 4006f468 cb007105 0a600001
            c350 0050 00001001 00000000 5002ffff 95da 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 4006f4b5 cb007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            45000028 00014000 3f06f5b5 cb007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            45000028 00014000 3f066fba c0000201 0a000014
            9c40 1f90 00001001 00000000 5002ffff 17fc 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
    ],
  },
]);
