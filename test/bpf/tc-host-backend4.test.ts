// SPDX-License-Identifier: Apache-2.0
// Over IPv4, backends in the host's network namespace.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("backends on the node over IPv4", services4, [
  {
    name: "a backend on the node itself sees the client: no SNAT on local delivery (E6)",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7584 00001001 00000000 5002ffff 6905 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 1f90 00001001 00000000 5002ffff bef9 0000`,
        markOut: MARK_IN,
        counts: { "host.connections": 1, "host.packets": 1, "host.bytes": 54, "host[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            45000028 00014000 40063cc8 c0000201 cb007105
            1f90 c350 00001001 00002001 5012ffff 9ee8 0000`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            45000028 00014000 40063cc8 c0000201 cb007105
            7584 c350 00001001 00002001 5012ffff 48f4 0000`,
        markOut: MARK_OUT,
        counts: { "host.packets": 1, "host.bytes": 54 },
      },
    ],
    flows: ["nascent owner 203.0.113.5:50000 > 192.0.2.1:30084 > 192.0.2.1:8080 answered"],
  },
  {
    name: "a pod reaches it through a NodePort likewise",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066ec4 0a00000a c0000201
            c350 7584 00001001 00000000 5002ffff 9b01 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 40066ec4 0a00000a c0000201
            c350 1f90 00001001 00000000 5002ffff f0f5 0000`,
        markOut: MARK_IN,
        counts: { "host.connections": 1, "host.packets": 1, "host.bytes": 54, "host[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 40066ec4 c0000201 0a00000a
            1f90 c350 00001001 00002001 5012ffff d0e4 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40066ec4 c0000201 0a00000a
            7584 c350 00001001 00002001 5012ffff 7af0 0000`,
        markOut: MARK_OUT,
        counts: { "host.packets": 1, "host.bytes": 54 },
      },
    ],
  },
]);
