// SPDX-License-Identifier: Apache-2.0
// Over IPv4, backends that are not on this node: transit from edge to edge at tc ingress (clause E5), and masquerade by the
// address of the device a packet leaves by (clause E6).

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { transit4 } from "./support/transit.ts";

table("remote backends over IPv4", services4, [
  {
    name: "TCP to a remote backend passes through at once, both ends translated, one hop older",
    steps: transit4.tcp,
    flows: ["flows owner 203.0.113.5:50000 > 192.0.2.1:30081 > 192.0.2.20:8080 as 192.0.2.1:40000 transit answered"],
  },
  {
    name: "UDP to a remote backend passes through at once, both ends translated, one hop older",
    steps: transit4.udp,
    flows: ["flows owner 203.0.113.5:50000 > 192.0.2.1:30054 > 192.0.2.20:5353 as 192.0.2.1:40000 transit answered"],
  },
  {
    name: "a transit packet on its last hop goes up to the stack, which answers",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 01067bc8 cb007105 c0000201
            c350 7581 00001001 00000000 5002ffff 6908 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 01067bb5 cb007105 c0000214
            c350 1f90 00001001 00000000 5002ffff bee6 0000`,
        markOut: MARK_IN,
        counts: {
          "far.connections": 1,
          "far.packets": 1,
          "far.bytes": 54,
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
            020000000011 02000000ff99 0800
            45000028 00014000 4006d494 cb007105 c6336401
            c350 0050 00001001 00000000 5002ffff 7606 0000`,
        verdict: "redirect",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 3f06262b 0ac80001 0ac80014
            9c40 1f90 00001001 00000000 5002ffff ce6c 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.connections": 1, "overlay.packets": 1, "overlay.bytes": 54, "overlay[0].connections": 1 },
      },
      {
        at: "ingress overlay",
        packet: `
            020000000012 02000000ff20 0800
            45000028 00014000 4006252b 0ac80014 0ac80001
            1f90 9c40 00001001 00002001 5012ffff ae5b 0000`,
        verdict: "redirect",
        out: `
            020000000012 02000000ff20 0800
            45000028 00014000 3f06d594 c6336401 cb007105
            0050 c350 00001001 00002001 5012ffff 55f5 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.packets": 1, "overlay.bytes": 54 },
      },
    ],
  },
  {
    name: "a pod's connection through an externalIP is masqueraded where it leaves the node, without transit",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40060691 0a00000a c6336401
            c350 0050 00001001 00000000 5002ffff a802 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400625ea 0a00000a 0ac80014
            c350 1f90 00001001 00000000 5002ffff a81b 0000`,
        markOut: MARK_IN,
        counts: { "overlay.connections": 1, "overlay.packets": 1, "overlay.bytes": 54, "overlay[0].connections": 1 },
      },
      {
        at: "egress overlay",
        packet: `
            02000000ff20 020000000012 0800
            45000028 00014000 3f0626ea 0a00000a 0ac80014
            c350 1f90 00001001 00000000 5002ffff a81b 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000012 0800
            45000028 00014000 3f06262b 0ac80001 0ac80014
            9c40 1f90 00001001 00000000 5002ffff ce6c 0000`,
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress overlay",
        packet: `
            020000000012 02000000ff20 0800
            45000028 00014000 4006252b 0ac80014 0ac80001
            1f90 9c40 00001001 00002001 5012ffff ae5b 0000`,
        verdict: "next",
        out: `
            020000000012 02000000ff20 0800
            45000028 00014000 400625ea 0ac80014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 880a 0000`,
        markOut: MARK_IN,
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f0626ea 0ac80014 0a00000a
            1f90 c350 00001001 00002001 5012ffff 880a 0000`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 3f060791 c6336401 0a00000a
            0050 c350 00001001 00002001 5012ffff 87f1 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "overlay.packets": 1, "overlay.bytes": 54 },
      },
    ],
  },
  {
    name: "a backend without a route is left to the stack, which says so",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7583 00001001 00000000 5002ffff 6906 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 4006d453 cb007105 c6336442
            c350 1f90 00001001 00000000 5002ffff 5685 0000`,
        markOut: MARK_IN,
        counts: {
          "unrouted.connections": 1,
          "unrouted.packets": 1,
          "unrouted.bytes": 54,
          "unrouted[0].connections": 1,
        },
      },
    ],
  },
]);
