// SPDX-License-Identifier: Apache-2.0
// Over IPv4, a device without Ethernet headers. A test run always reads an EtherType at offset 12, so the client's
// address is one whose bytes there spell it (8.0.113.5): the frame is the bare IP packet.

import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("devices without Ethernet over IPv4", services4, [
  {
    name: "a request from a tunnel: DNAT at offset 0",
    steps: [
      {
        at: "ingress tunnel",
        packet: `
            45000028 00014000 4006b769 08007105 0a600001
            c350 0050 00001001 00000000 5002ffff 58db 0000`,
        verdict: "next",
        out: `
            45000028 00014000 4006b7b6 08007105 0a000014
            c350 1f90 00001001 00000000 5002ffff 39e8 0000`,
        markOut: MARK_IN,
        counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 40, "web[0].connections": 1 },
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
            45000028 00014000 4006ffc8 08007105 c0000201
            c350 7581 00001001 00000000 5002ffff 2c09 0000`,
        verdict: "redirect",
        out: `
            000000000000 000000000000 0000
            45000028 00014000 3f06b7b9 c0000201 c0000214
            9c40 1f90 00001001 00000000 5002ffff 5ffb 0000`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "far.connections": 1, "far.packets": 1, "far.bytes": 40, "far[0].connections": 1 },
        malformed: true,
      },
    ],
  },
]);
