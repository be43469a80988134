// SPDX-License-Identifier: Apache-2.0
// Over IPv6, a device without Ethernet headers. A test run always reads an EtherType at offset 12, so the client's
// address is one whose bytes there spell it (2001:db8:86dd::5): the frame is the bare IP packet.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";

table("devices without Ethernet over IPv6", services6, [
  {
    name: "a request from a tunnel: DNAT at offset 0",
    steps: [
      {
        at: "ingress tunnel",
        packet: `
            6000000000140640 20010db886dd00000000000000000005 fd000096000000000000000000000001
            c350 0050 00001001 00000000 5002ffff 2a0e 0000`,
        verdict: "next",
        out: `
            6000000000140640 20010db886dd00000000000000000005 fd000000000000000000000000000020
            c350 1f90 00001001 00000000 5002ffff 0b45 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 60, "web[0].connections": 1 },
        malformed: true,
      },
    ],
  },
  {
    name: "a request from a tunnel to a remote backend leaves transit behind an Ethernet header (E5)",
    steps: [
      {
        at: "ingress tunnel",
        packet: `
            6000000000140640 20010db886dd00000000000000000005 20010db8000200000000000000000001
            c350 7581 00001001 00000000 5002ffff 84b8 0000`,
        verdict: "redirect",
        out: `
            000000000000 000000000000 0000
            600000000014063f 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 1f90 00001001 00000000 5002ffff 887a 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far.connections": 1, "far.packets": 1, "far.bytes": 60, "far[0].connections": 1 },
        malformed: true,
      },
    ],
  },
]);
