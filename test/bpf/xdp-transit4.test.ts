// SPDX-License-Identifier: Apache-2.0
// Transit flows over IPv4 in XDP (clause E5): tc begins them, XDP goes on with them by the same records, and leaves to tc
// what it does not know.

import { MARK_IN, MARK_OUT, type Step, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

const begun: readonly Step[] = [
  {
    at: "ingress uplink",
    packet: `
      020000000011 02000000ff99 0800
      45000028 00014000 40063cc8 cb007105 c0000201
      c350 7581 00001001 00000000 5002ffff 6908 0000`,
    verdict: "redirect",
    out: `
      020000000011 02000000ff99 0800
      45000028 00014000 3f06b7b9 c0000201 c0000214
      9c40 1f90 00001001 00000000 5002ffff 5ffb 0000`,
    markOut: MARK_IN | MARK_OUT,
    counts: { "far.connections": 1, "far.packets": 1, "far.bytes": 54, "far[0].connections": 1 },
  },
];

table("transit flows in XDP, IPv4", services4, [
  {
    name: "what has not been answered is tc's",
    steps: [
      ...begun,
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000028 00014000 02067ac8 cb007105 c0000201
          c350 7581 00001001 00002001 5010ffff 48f9 0000`,
        verdict: "next",
      },
    ],
  },
  {
    name: "an answered one goes straight back out, both ends translated, one hop older, to the next hop's MAC",
    steps: [
      ...begun,
      {
        at: "ingress uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000028 00014000 4006b6b9 c0000214 c0000201
          1f90 9c40 00002000 00002001 5012ffff 2feb 0000`,
        verdict: "redirect",
        out: `
          020000000011 02000000ff99 0800
          45000028 00014000 3f063dc8 c0000201 cb007105
          7581 c350 00002000 00002001 5012ffff 38f8 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
      {
        at: "ingress uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000028 00014000 02067ac8 cb007105 c0000201
          c350 7581 00001001 00002001 5010ffff 48f9 0000`,
        verdict: "redirect",
        out: `
          020000000011 02000000ff99 0800
          45000028 00014000 0106f5b9 c0000201 c0000214
          9c40 1f90 00001001 00002001 5010ffff 3fec 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000028 00014000 02067ac8 cb007105 c0000201
          c350 7581 00001001 00002001 5010ffff 48f9 0000`,
        verdict: "back",
        out: `
          02000000ff20 020000000011 0800
          45000028 00014000 0106f5b9 c0000201 c0000214
          9c40 1f90 00001001 00002001 5010ffff 3fec 0000`,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff20 0800
          45000028 00014000 4006b6b9 c0000214 c0000201
          1f90 9c40 00002000 00002001 5010ffff 2fed 0000`,
        verdict: "back",
        out: `
          02000000ff99 020000000011 0800
          45000028 00014000 3f063dc8 c0000201 cb007105
          7581 c350 00002000 00002001 5010ffff 38fa 0000`,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
    ],
    flows: ["flows owner 203.0.113.5:50000 > 192.0.2.1:30081 > 192.0.2.20:8080 as 192.0.2.1:40000 transit answered"],
  },
]);
