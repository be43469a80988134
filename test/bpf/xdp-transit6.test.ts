// SPDX-License-Identifier: Apache-2.0
// Transit flows over IPv6 in XDP (clause E5): tc begins them, XDP goes on with them by the same records, and leaves to tc
// what it does not know.

import { type Step, table } from "./support/scenario.ts";
import { services6 } from "./support/services.ts";
import { transit6 } from "./support/transit.ts";

/** The client's word, of a connection that lasts, in a form that is left to tc. */
const left = (name: string, packet: string) => ({
  name: `${name} is tc's`,
  steps: [...transit6.tcp, { at: "xdp uplink", packet, verdict: "next" } satisfies Step],
});

table("transit flows in XDP, IPv6", services6, [
  {
    name: "TCP goes straight back out, both ends translated, one hop older, to the next hop's MAC",
    steps: [
      ...transit6.tcp,
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 86dd
          6000000000140602 20010db8009900000000000000000005 20010db8000200000000000000000001
          c350 7581 00001001 00002001 5010ffff eaed 0000`,
        verdict: "back",
        out: `
          02000000ff20 020000000011 86dd
          6000000000140601 20010db8000200000000000000000001 20010db8000200000000000000000020
          9c40 1f90 00001001 00002001 5010ffff 686b 0000`,
        counts: { "far.packets": 1, "far.bytes": 74 },
      },
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff20 86dd
          6000000000140640 20010db8000200000000000000000020 20010db8000200000000000000000001
          1f90 9c40 00002000 00002001 5010ffff 586c 0000`,
        verdict: "back",
        out: `
          02000000ff99 020000000011 86dd
          600000000014063f 20010db8000200000000000000000001 20010db8009900000000000000000005
          7581 c350 00002000 00002001 5010ffff daee 0000`,
        counts: { "far.packets": 1, "far.bytes": 74 },
      },
    ],
    flows: [
      "flows owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30081 > [2001:db8:2::20]:8080 as [2001:db8:2::1]:40000 transit answered",
    ],
  },
  {
    name: "UDP likewise",
    steps: [
      ...transit6.udp,
      {
        at: "xdp uplink",
        packet: `
          020000000011 02000000ff99 86dd
          60000000000d1102 20010db8009900000000000000000005 20010db8000200000000000000000001
          c350 7566 000d 2738
          68656c6c6f`,
        verdict: "back",
        out: `
          02000000ff20 020000000011 86dd
          60000000000d1101 20010db8000200000000000000000001 20010db8000200000000000000000020
          9c40 14e9 000d af41
          68656c6c6f`,
        counts: { "far-dns.packets": 1, "far-dns.bytes": 67 },
      },
    ],
  },
  left(
    "what is on its last hop",
    `020000000011 02000000ff99 86dd
     6000000000140601 20010db8009900000000000000000005 20010db8000200000000000000000001
     c350 7581 00001001 00002001 5010ffff eaed 0000`,
  ),
  left(
    "what has an extension header",
    `020000000011 02000000ff99 86dd
     60000000001c3c02 20010db8009900000000000000000005 20010db8000200000000000000000001 06000104 00000000
     c350 7581 00001001 00002001 5010ffff eaed 0000`,
  ),
]);
