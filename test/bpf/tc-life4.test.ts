// SPDX-License-Identifier: Apache-2.0
// Over IPv4, how a flow begins, is answered, and ends.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("life of a flow over IPv4", services4, [
  {
    name: "a SYN sent again is of the same flow",
    steps: [begun4.webSyn, begun4.webSynAgain],
    flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080"],
  },
  {
    name: "FIN from both ends closes; the last ACK still passes",
    steps: [
      begun4.webSyn,
      begun4.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5010ffff 88d4 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5011ffff a7c6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5011ffff 88d3 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000028 00014000 400626b2 0a000014 0a00000a
            1f90 c350 00001001 00002001 5011ffff 88d3 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000028 00014000 40062665 0a600001 0a00000a
            0050 c350 00001001 00002001 5011ffff a7c6 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5010ffff a7c7 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5010ffff 88d4 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
    ],
    flows: ["flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered fin_client fin_backend"],
  },
  {
    name: "FIN from one end only does not: a SYN then is the old flow's",
    steps: [
      begun4.webSyn,
      begun4.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000028 00014000 40062665 0a00000a 0a600001
            c350 0050 00001001 00002001 5011ffff a7c6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000028 00014000 400626b2 0a00000a 0a000014
            c350 1f90 00001001 00002001 5011ffff 88d3 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 54 },
      },
      begun4.webSynAgain,
    ],
    flows: ["flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered fin_client"],
  },
]);
