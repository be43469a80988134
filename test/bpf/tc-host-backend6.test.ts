// SPDX-License-Identifier: Apache-2.0
// Over IPv6, backends in the host's network namespace.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("backends on the node over IPv6", services6, [
  {
    name: "a backend on the node itself sees the client: no SNAT on local delivery (E6)",
    steps: [
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7584 00001001 00000000 5002ffff 0afa 0000`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 1f90 00001001 00000000 5002ffff 60ee 0000`,
        markOut: MARK_IN,
        counts: { "host.connections": 1, "host.packets": 1, "host.bytes": 74, "host[0].connections": 1 },
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            1f90 c350 00001001 00002001 5012ffff 40dd 0000`,
        verdict: "next",
        out: `
            02000000ff99 020000000011 86dd
            6000000000140640 20010db8000200000000000000000001 20010db8009900000000000000000005
            7584 c350 00001001 00002001 5012ffff eae8 0000`,
        markOut: MARK_OUT,
        counts: { "host.packets": 1, "host.bytes": 74 },
      },
    ],
    flows: ["nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30084 > [2001:db8:2::1]:8080 answered"],
  },
  {
    name: "a pod reaches it through a NodePort likewise",
    steps: [
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000001
            c350 7584 00001001 00000000 5002ffff 3c40 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 86dd
            6000000000140640 fd000000000000000000000000000010 20010db8000200000000000000000001
            c350 1f90 00001001 00000000 5002ffff 9234 0000`,
        markOut: MARK_IN,
        counts: { "host.connections": 1, "host.packets": 1, "host.bytes": 74, "host[0].connections": 1 },
      },
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 86dd
            6000000000140640 20010db8000200000000000000000001 fd000000000000000000000000000010
            1f90 c350 00001001 00002001 5012ffff 7223 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 86dd
            6000000000140640 20010db8000200000000000000000001 fd000000000000000000000000000010
            7584 c350 00001001 00002001 5012ffff 1c2f 0000`,
        markOut: MARK_OUT,
        counts: { "host.packets": 1, "host.bytes": 74 },
      },
    ],
  },
]);
