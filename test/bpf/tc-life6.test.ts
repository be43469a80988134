// SPDX-License-Identifier: Apache-2.0
// Over IPv6, how a flow begins, is answered, and ends.

import { begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("life of a flow over IPv6", services6, [
  {
    name: "a SYN sent again is of the same flow",
    steps: [begun6.webSyn, begun6.webSynAgain],
    flows: ["nascent owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080"],
  },
  {
    name: "FIN from both ends closes; the last ACK still passes",
    steps: [
      begun6.webSyn,
      begun6.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5010ffff a2c0 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5011ffff c188 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5011ffff a2bf 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5011ffff a2bf 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
            0050 c350 00001001 00002001 5011ffff c188 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5010ffff c189 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5010ffff a2c0 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
    ],
    flows: ["flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered fin_client fin_backend"],
  },
  {
    name: "FIN from one end only does not: a SYN then is the old flow's",
    steps: [
      begun6.webSyn,
      begun6.webSynAck,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
            c350 0050 00001001 00002001 5011ffff c188 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
            c350 1f90 00001001 00002001 5011ffff a2bf 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 74 },
      },
      begun6.webSynAgain,
    ],
    flows: ["flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered fin_client"],
  },
]);
