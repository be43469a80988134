// SPDX-License-Identifier: Apache-2.0
// Over IPv4, ICMP errors that quote a packet of a translated connection (clause E7): message and quote come out as the
// end that they go to knows the connection, every checksum right.

import { begun4 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("ICMP errors over IPv4", services4, [
  {
    name: "port unreachable from a masqueraded backend goes to the client, from the NodePort",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "ingress server",
        packet: `
            020000000022 02000000ff20 0800
            4500003d 00014000 40016eaa 0a000014 c0000201
            0303c930 00000000
            45000021 00014000 3f116fb6 c0000201 0a000014
            9c40 14e9 000d 3ec3 68656c6c6f`,
        verdict: "next",
        out: `
            020000000022 02000000ff20 0800
            4500003d 00014000 4001f4a5 0a000014 cb007105
            03034335 00000000
            45000021 00014000 3f11f5b1 cb007105 0a000014
            c350 14e9 000d 9dae 68656c6c6f`,
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: `
            02000000ff99 020000000011 0800
            4500003d 00014000 3f01f5a5 0a000014 cb007105
            03034335 00000000
            45000021 00014000 3f11f5b1 cb007105 0a000014
            c350 14e9 000d 9dae 68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff99 020000000011 0800
            4500003d 00014000 3f013db8 c0000201 cb007105
            0303fb22 00000000
            45000021 00014000 3f113dc4 cb007105 c0000201
            c350 7565 000d 8544 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 75 },
      },
    ],
  },
  {
    name: "packet too big, said of a reply by a router on the client's side, goes to the backend that sent it",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 40014e81 c6336409 c0000201
            0304f60d 00000514
            45000021 00014000 3c1140c4 c0000201 cb007105
            7565 c350 000d 8544 68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            4500003d 00014000 4001066f c6336409 0a000014
            03043e20 00000514
            45000021 00014000 3c11f8b1 0a000014 cb007105
            14e9 c350 000d 9dae 68656c6c6f`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 75 },
      },
      {
        at: "egress server",
        packet: `
            02000000ff20 020000000022 0800
            4500003d 00014000 3f01076f c6336409 0a000014
            03043e20 00000514
            45000021 00014000 3c11f8b1 0a000014 cb007105
            14e9 c350 000d 9dae 68656c6c6f`,
        mark: MARK_IN,
        verdict: "next",
        out: `
            02000000ff20 020000000022 0800
            4500003d 00014000 3f01076f c6336409 0a000014
            0304c41b 00000514
            45000021 00014000 3c1172b6 0a000014 c0000201
            14e9 9c40 000d 3ec3 68656c6c6f`,
        markOut: MARK_IN | MARK_OUT,
      },
    ],
  },
  {
    name: "a quoted datagram without a checksum stays without",
    steps: [
      begun4.nodePortDatagram,
      {
        at: "ingress uplink",
        packet: `
            020000000011 02000000ff99 0800
            4500003d 00014000 40014e81 c6336409 c0000201
            0b00786a 00000000
            45000021 00014000 3c1140c4 c0000201 cb007105
            7565 c350 000d 0000 68656c6c6f`,
        verdict: "next",
        out: `
            020000000011 02000000ff99 0800
            4500003d 00014000 4001066f c6336409 0a000014
            0b00d8e6 00000000
            45000021 00014000 3c11f8b1 0a000014 cb007105
            14e9 c350 000d 0000 68656c6c6f`,
        markOut: MARK_IN,
        counts: { "port-dns.packets": 1, "port-dns.bytes": 75 },
      },
    ],
  },
  {
    name: "time exceeded on the way to a ClusterIP: TCP quoted whole, also its checksum",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000044 00014000 40010672 c6336409 0a00000a
            0b000938 00000000
            45000028 00014000 010665b2 0a00000a 0a000014
            c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000044 00014000 40010672 c6336409 0a00000a
            0b000985 00000000
            45000028 00014000 01066565 0a00000a 0a600001
            c350 0050 00001001 00000000 5002ffff c7d6 0000`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 82 },
      },
    ],
  },
  {
    name: "time exceeded on the way to a ClusterIP: TCP quoted with eight bytes",
    steps: [
      begun4.webSyn,
      {
        at: "egress client",
        packet: `
            02000000ff10 020000000021 0800
            45000038 00014000 4001067e c6336409 0a00000a
            0b00021e 00000000
            45000028 00014000 010665b2 0a00000a 0a000014
            c350 1f90 00001001`,
        verdict: "next",
        out: `
            02000000ff10 020000000021 0800
            45000038 00014000 4001067e c6336409 0a00000a
            0b00215e 00000000
            45000028 00014000 01066565 0a00000a 0a600001
            c350 0050 00001001`,
        markOut: MARK_OUT,
        counts: { "web.packets": 1, "web.bytes": 70 },
      },
    ],
  },
  {
    name: "parameter problem said by the client of a reply goes to the backend, from the client",
    steps: [
      begun4.webSyn,
      {
        at: "ingress client",
        packet: `
            020000000021 02000000ff10 0800
            45000044 00014000 4001264e 0a00000a 0a600001
            0c000885 00000000
            45000028 00014000 3e062865 0a600001 0a00000a
            0050 c350 00001001 00000000 5002ffff c7d6 0000`,
        verdict: "next",
        out: `
            020000000021 02000000ff10 0800
            45000044 00014000 4001269b 0a00000a 0a000014
            0c000838 00000000
            45000028 00014000 3e0628b2 0a000014 0a00000a
            1f90 c350 00001001 00000000 5002ffff a8e3 0000`,
        markOut: MARK_IN,
        counts: { "web.packets": 1, "web.bytes": 82 },
      },
    ],
  },
]);
