// SPDX-License-Identifier: Apache-2.0
// The first packets of transit flows, as tc takes them: a request, its answer, and the word by which the flow lasts.

import { MARK_IN, MARK_OUT, type Step } from "./scenario.ts";

type Taken = readonly [request: Step, answer: Step, word: Step];

export interface TransitSteps {
  readonly tcp: Taken;
  readonly udp: Taken;
}

export const transit4: TransitSteps = {
  tcp: [
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 40063cc8 cb007105 c0000201
            c350 7581 00001001 00000000 5002ffff 6908 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000028 00014000 3f06b7b9 c0000201 c0000214
            9c40 1f90 00001001 00000000 5002ffff 5ffb 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.connections": 1, "far.packets": 1, "far.bytes": 54, "far[0].connections": 1 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 4006b6b9 c0000214 c0000201
            1f90 9c40 00002000 00002001 5012ffff 2feb 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000028 00014000 3f063dc8 c0000201 cb007105
            7581 c350 00002000 00002001 5012ffff 38f8 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.packets": 1, "far.bytes": 54 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000028 00014000 02067ac8 cb007105 c0000201
            c350 7581 00001001 00002001 5010ffff 48f9 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000028 00014000 0106f5b9 c0000201 c0000214
            9c40 1f90 00001001 00002001 5010ffff 3fec 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.packets": 1, "far.bytes": 54 },
    },
  ],
  udp: [
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 40113cc4 cb007105 c0000201
            c350 7566 000d 8543
            68656c6c6f`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000021 00014000 3f11b7b5 c0000201 c0000214
            9c40 14e9 000d 86c2
            68656c6c6f`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 47, "far-dns[0].connections": 1 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 4011b6b5 c0000214 c0000201
            14e9 9c40 000d 7cb8
            776f726c64`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000021 00014000 3f113dc4 c0000201 cb007105
            7566 c350 000d 7b39
            776f726c64`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.packets": 1, "far-dns.bytes": 47 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 0800
            45000021 00014000 02117ac4 cb007105 c0000201
            c350 7566 000d 8543
            68656c6c6f`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 0800
            45000021 00014000 0111f5b5 c0000201 c0000214
            9c40 14e9 000d 86c2
            68656c6c6f`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.packets": 1, "far-dns.bytes": 47 },
    },
  ],
};

export const transit6: TransitSteps = {
  tcp: [
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7581 00001001 00000000 5002ffff 0afd 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            600000000014063f 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 1f90 00001001 00000000 5002ffff 887a 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.connections": 1, "far.packets": 1, "far.bytes": 74, "far[0].connections": 1 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            6000000000140640 20010db8000200000000000000000020 20010db8000200000000000000000001
            1f90 9c40 00002000 00002001 5012ffff 586a 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            600000000014063f 20010db8000200000000000000000001 20010db8009900000000000000000005
            7581 c350 00002000 00002001 5012ffff daec 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.packets": 1, "far.bytes": 74 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            6000000000140602 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7581 00001001 00002001 5010ffff eaed 0000`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            6000000000140601 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 1f90 00001001 00002001 5010ffff 686b 0000`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far.packets": 1, "far.bytes": 74 },
    },
  ],
  udp: [
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7566 000d 2738
            68656c6c6f`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            60000000000d113f 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 14e9 000d af41
            68656c6c6f`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.connections": 1, "far-dns.packets": 1, "far-dns.bytes": 67, "far-dns[0].connections": 1 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            60000000000d1140 20010db8000200000000000000000020 20010db8000200000000000000000001
            14e9 9c40 000d a537
            776f726c64`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            60000000000d113f 20010db8000200000000000000000001 20010db8009900000000000000000005
            7566 c350 000d 1d2e
            776f726c64`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.packets": 1, "far-dns.bytes": 67 },
    },
    {
      at: "ingress uplink",
      packet: `
            020000000011 02000000ff99 86dd
            60000000000d1102 20010db8009900000000000000000005 20010db8000200000000000000000001
            c350 7566 000d 2738
            68656c6c6f`,
      verdict: "redirect",
      out: `
            020000000011 02000000ff99 86dd
            60000000000d1101 20010db8000200000000000000000001 20010db8000200000000000000000020
            9c40 14e9 000d af41
            68656c6c6f`,
      markOut: MARK_IN | MARK_OUT,
      counts: { "far-dns.packets": 1, "far-dns.bytes": 67 },
    },
  ],
};
