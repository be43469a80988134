// SPDX-License-Identifier: Apache-2.0
// From outside, over IPv6, to a backend on this node: DNAT at the client's edge, SNAT at the backend's, and back.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("NodePort over IPv6", services6, [
  {
    name: "TCP from outside to a NodePort: the pod sees the node address, the client the NodePort",
    steps: [
      begun6.nodePortSyn,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            600000000014063f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9189 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 86dd
            600000000014063f 20010db8000200000000000000000001 fd000000000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff b934 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8000200000000000000000001
            1f90 9c40 00002000 00002001 5012ffff 8924 0000`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8009900000000000000000005
            1f90 c350 00002000 00002001 5012ffff 6179 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            600000000014063f fd000000000000000000000000000020 20010db8009900000000000000000005
            1f90 c350 00002000 00002001 5012ffff 6179 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            600000000014063f 20010db8000200000000000000000001 20010db8009900000000000000000005
            7580 c350 00002000 00002001 5012ffff daed 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port.packets": 1, "port.bytes": 74 },
      },
    ],
    flows: [
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000 answered",
    ],
  },
  {
    name: "UDP from outside to a NodePort: the pod sees the node address, the client the NodePort",
    steps: [
      begun6.nodePortDatagram,
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            60000000000d113f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 14e9 000d b850
            68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 86dd
            60000000000d113f 20010db8000200000000000000000001 fd000000000000000000000000000020
            9c40 14e9 000d dffb
            68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 86dd
            60000000000d1140 fd000000000000000000000000000020 20010db8000200000000000000000001
            14e9 9c40 000d d5f1
            776f726c64`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 86dd
            60000000000d1140 fd000000000000000000000000000020 20010db8009900000000000000000005
            14e9 c350 000d ae46
            776f726c64`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            60000000000d113f fd000000000000000000000000000020 20010db8009900000000000000000005
            14e9 c350 000d ae46
            776f726c64`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            60000000000d113f 20010db8000200000000000000000001 20010db8009900000000000000000005
            7565 c350 000d 1d2f
            776f726c64`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 67 },
      },
    ],
    flows: [
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30053 > [fd00::20]:5353 as [2001:db8:2::1]:40000 answered",
    ],
  },
  {
    name: "externalTrafficPolicy Local keeps the client address and uses the local endpoint only",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7582 00001001 00000000 5002ffff 0afc 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9189 0000`,
        markOut: MARK_IN,
        counts: { "local.connections": 1, "local.packets": 1, "local.bytes": 74, "local[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            600000000014063f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9189 0000`,
        mark: MARK_IN,
        verdict: "next",
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000140640 fd000000000000000000000000000020 20010db8009900000000000000000005
            1f90 c350 00001001 00002001 5012ffff 7178 0000`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            7582 c350 00001001 00002001 5012ffff eaea 0000`,
        markOut: MARK_OUT,
        counts: { "local.packets": 1, "local.bytes": 74 },
      },
    ],
  },
  {
    name: "a pod reaches remote endpoints of a Local Service unmasqueraded",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8005100000000000000000002
            c350 0050 00001001 00000000 5002ffff b124 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9215 0000`,
        markOut: MARK_IN,
        counts: { "away.connections": 1, "away.packets": 1, "away.bytes": 74, "away[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            600000000014063f fd000000000000000000000000000010 20010db8000200000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9215 0000`,
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
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff b052 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9189 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 86dd
            600000000014063f 20010db8009900000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 9189 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 86dd
            600000000014063f 20010db8000200000000000000000001 fd000000000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff b934 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
    ],
  },
]);
