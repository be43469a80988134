// SPDX-License-Identifier: Apache-2.0
// Over IPv6, a device without Ethernet headers. A test run always reads an EtherType at offset 12, so the client's
// address is one whose bytes there spell it (2001:db8:86dd::5): the frame is the bare IP packet.

import { MARK_IN, table } from "./support/scenario.ts";
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
]);
