// SPDX-License-Identifier: Apache-2.0
// Transit flows over IPv4 in XDP (clause E5): tc begins them, XDP goes on with them by the same records, and leaves to tc
// what it does not know.

import { type Step, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { transit4 } from "./support/transit.ts";

/** The client's word, of a connection that lasts, in a form that is left to tc. */
const left = (name: string, packet: string) => ({
  name: `${name} is tc's`,
  steps: [...transit4.tcp, { at: "xdp uplink", packet, verdict: "next" } satisfies Step],
});

table("transit flows in XDP, IPv4", services4, [
  {
    name: "what has not been answered is tc's",
    steps: [
      ...transit4.tcp.slice(0, 1),
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
    name: "TCP goes straight back out, both ends translated, one hop older, to the next hop's MAC; its end is noted",
    steps: [
      ...transit4.tcp,
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000028 00014000 02067ac8 cb007105 c0000201
          c350 7581 00001001 00002001 5011ffff 48f8 0000`,
        verdict: "back",
        out: `
          02000000ff20 020000000011 0800
          45000028 00014000 0106f5b9 c0000201 c0000214
          9c40 1f90 00001001 00002001 5011ffff 3feb 0000`,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff20 0800
          45000028 00014000 4006b6b9 c0000214 c0000201
          1f90 9c40 00002000 00002001 5011ffff 2fec 0000`,
        verdict: "back",
        out: `
          02000000ff99 020000000011 0800
          45000028 00014000 3f063dc8 c0000201 cb007105
          7581 c350 00002000 00002001 5011ffff 38f9 0000`,
        counts: { "far.packets": 1, "far.bytes": 54 },
      },
    ],
    flows: [
      "flows owner 203.0.113.5:50000 > 192.0.2.1:30081 > 192.0.2.20:8080 as 192.0.2.1:40000 transit answered fin_client fin_backend",
    ],
  },
  {
    name: "UDP likewise, with and without a checksum",
    steps: [
      ...transit4.udp,
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 0800
          45000021 00014000 02117ac4 cb007105 c0000201
          c350 7566 000d 8543
          68656c6c6f`,
        verdict: "back",
        out: `
          02000000ff20 020000000011 0800
          45000021 00014000 0111f5b5 c0000201 c0000214
          9c40 14e9 000d 86c2
          68656c6c6f`,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 47 },
      },
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff20 0800
          45000021 00014000 4011b6b5 c0000214 c0000201
          14e9 9c40 000d 0000
          776f726c64`,
        verdict: "back",
        out: `
          02000000ff99 020000000011 0800
          45000021 00014000 3f113dc4 c0000201 cb007105
          7566 c350 000d 0000
          776f726c64`,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 47 },
      },
    ],
  },
  left(
    "a SYN",
    `020000000011 02000000ff99 0800
     45000028 00014000 40063cc8 cb007105 c0000201
     c350 7581 00001001 00000000 5002ffff 6908 0000`,
  ),
  left(
    "what is on its last hop",
    `020000000011 02000000ff99 0800
     45000028 00014000 01067bc8 cb007105 c0000201
     c350 7581 00001001 00002001 5010ffff 48f9 0000`,
  ),
  left(
    "a fragment",
    `020000000011 02000000ff99 0800
     45000028 00012000 02069ac8 cb007105 c0000201
     c350 7581 00001001 00002001 5010ffff 48f9 0000`,
  ),
  left(
    "what has IP options",
    `020000000011 02000000ff99 0800
     4600002c 00014000 020677c2 cb007105 c0000201 01010101
     c350 7581 00001001 00002001 5010ffff 48f9 0000`,
  ),
  left(
    "a frame to another MAC",
    `020000000012 02000000ff99 0800
     45000028 00014000 02067ac8 cb007105 c0000201
     c350 7581 00001001 00002001 5010ffff 48f9 0000`,
  ),
]);
