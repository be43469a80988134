// SPDX-License-Identifier: Apache-2.0
// Over IPv6, backends that are not on this node: transit from edge to edge at tc ingress (clause E5), and masquerade by the
// address of the device a packet leaves by (clause E6).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { transit6 } from "./support/transit.ts";

table("remote backends over IPv6", services6, [
  {
    name: "TCP to a remote backend passes through at once, both ends translated, one hop older",
    steps: transit6.tcp,
    flows: [
      "flows owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30081 > [2001:db8:2::20]:8080 as [2001:db8:2::1]:40000 transit answered",
    ],
  },
  {
    name: "UDP to a remote backend passes through at once, both ends translated, one hop older",
    steps: transit6.udp,
    flows: [
      "flows owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30054 > [2001:db8:2::20]:5353 as [2001:db8:2::1]:40000 transit answered",
    ],
  },
  {
    name: "a transit packet on its last hop goes up to the stack, which answers",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140601 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7581 00001001 00000000 5002ffff 0afd 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000140601 20010db8009900000000000000000005 20010db8000200000000000000000020
            c350 1f90 00001001 00000000 5002ffff 60cf 0000`,
        markOut: MARK_IN,
        counts: {
          "far.connections": 1,
          "far.packets": 1,
          "far.bytes": 74,
          "far[0].connections": 1,
        },
      },
    ],
  },
  {
    name: "a backend over the overlay sees the overlay device's address (E6)",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8005100000000000000000001
            c350 0050 00001001 00000000 5002ffff 7fdf 0000`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 86dd
            600000000014063f fd000200000000000000000000000001 fd000200000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff e5ee 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.connections": 1, "overlay.packets": 1, "overlay.bytes": 74, "overlay[0].connections": 1 },
      },
      {
        at: "ingress overlay",
        packet: `
            020000000012 02000000ff20 86dd
            6000000000140640 fd000200000000000000000000000020 fd000200000000000000000000000001
            1f90 9c40 00001001 00002001 5012ffff c5dd 0000`,
        verdict: "redirect",
        out: `
            020000000012 02000000ff20 86dd
            600000000014063f 20010db8005100000000000000000001 20010db8009900000000000000000005
            0050 c350 00001001 00002001 5012ffff 5fce 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.packets": 1, "overlay.bytes": 74 },
      },
    ],
  },
  {
    name: "a pod's connection through an externalIP is masqueraded where it leaves the node, without transit",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8005100000000000000000001
            c350 0050 00001001 00000000 5002ffff b125 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000200000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c0cf 0000`,
        markOut: MARK_IN,
        counts: { "overlay.connections": 1, "overlay.packets": 1, "overlay.bytes": 74, "overlay[0].connections": 1 },
      },
      {
        at: "egress overlay",
        packet: `
            02000000ff20 020000000012 86dd
            600000000014063f fd000000000000000000000000000010 fd000200000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff c0cf 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000012 86dd
            600000000014063f fd000200000000000000000000000001 fd000200000000000000000000000020
            9c40 1f90 00001001 00000000 5002ffff e5ee 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress overlay",
        packet: `
            020000000012 02000000ff20 86dd
            6000000000140640 fd000200000000000000000000000020 fd000200000000000000000000000001
            1f90 9c40 00001001 00002001 5012ffff c5dd 0000`,
        verdict: "next",
        out: `
            020000000012 02000000ff20 86dd
            6000000000140640 fd000200000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a0be 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            600000000014063f fd000200000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff a0be 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            600000000014063f 20010db8005100000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5012ffff 9114 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.packets": 1, "overlay.bytes": 74 },
      },
    ],
  },
  {
    name: "a backend without a route is left to the stack, which says so",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7583 00001001 00000000 5002ffff 0afb 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8006600000000000000000066
            c350 1f90 00001001 00000000 5002ffff 6025 0000`,
        markOut: MARK_IN,
        counts: {
          "unrouted.connections": 1,
          "unrouted.packets": 1,
          "unrouted.bytes": 74,
          "unrouted[0].connections": 1,
        },
      },
    ],
  },
]);
