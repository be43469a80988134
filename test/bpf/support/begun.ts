// SPDX-License-Identifier: Apache-2.0
// Steps that many scenarios begin with, each once for a family. Bytes and counts are written out, as in the scenarios.

import { MARK_IN, MARK_OUT, type Step } from "./scenario.ts";

interface Begun {
  /** A pod's SYN to the ClusterIP of web: a new connection. */
  readonly webSyn: Step;
  /** The same SYN once more: of the flow that it has begun. */
  readonly webSynAgain: Step;
  /** It again, its port being taken towards web's endpoint: a new connection, from port 40000 there. */
  readonly webSynMapped: Step;
  /** A SYN from port 40000: a new connection. */
  readonly webSynFromMapped: Step;
  /** What web's endpoint answers to the first. */
  readonly webSynAck: Step;
  /** A datagram from outside to the NodePort of port-dns: a new flow. */
  readonly nodePortDatagram: Step;
  /** A SYN from outside to the NodePort of port: a new connection. */
  readonly nodePortSyn: Step;
  /** A pod's datagram to the ClusterIP of dns: a new flow. */
  readonly dnsDatagram: Step;
  /** A pod's SYN to a port of web's ClusterIP that nothing serves: told so, quoted. */
  readonly unusedPort: Step;
}

const webSyn4: Step = {
  at: "ingress client",
  packet: `
      020000000021 02000000ff10 0800
      45000028 00014000 40062665 0a00000a 0a600001
      c350 0050 00001001 00000000 5002ffff c7d6 0000`,
  verdict: "next",
  out: `
      020000000021 02000000ff10 0800
      45000028 00014000 400626b2 0a00000a 0a000014
      c350 1f90 00001001 00000000 5002ffff a8e3 0000`,
  markOut: MARK_IN,
  counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 54, "web[0].connections": 1 },
};

const webSynMapped4: Step = {
  ...webSyn4,
  out: `
      020000000021 02000000ff10 0800
      45000028 00014000 400626b2 0a00000a 0a000014
      9c40 1f90 00001001 00000000 5002ffff cff3 0000`,
};

export const begun4: Begun = {
  webSyn: webSyn4,
  webSynAgain: { ...webSyn4, counts: { "web.packets": 1, "web.bytes": 54 } },
  webSynMapped: webSynMapped4,
  webSynFromMapped: {
    ...webSynMapped4,
    packet: `
        020000000021 02000000ff10 0800
        45000028 00014000 40062665 0a00000a 0a600001
        9c40 0050 00001001 00000000 5002ffff eee6 0000`,
  },
  webSynAck: {
    at: "egress client",
    packet: `
        02000000ff10 020000000021 0800
        45000028 00014000 400626b2 0a000014 0a00000a
        1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
    verdict: "next",
    out: `
        02000000ff10 020000000021 0800
        45000028 00014000 40062665 0a600001 0a00000a
        0050 c350 00001001 00002001 5012ffff a7c5 0000`,
    markOut: MARK_OUT,
    counts: { "web.packets": 1, "web.bytes": 54 },
  },
  nodePortDatagram: {
    at: "ingress uplink",
    packet: `
        020000000011 02000000ff99 0800
        45000021 00014000 40113cc4 cb007105 c0000201
        c350 7565 000d 8544
        68656c6c6f`,
    verdict: "next",
    out: `
        020000000011 02000000ff99 0800
        45000021 00014000 4011f4b1 cb007105 0a000014
        c350 14e9 000d 9dae
        68656c6c6f`,
    markOut: MARK_IN,
    counts: {
      "port-dns.connections": 1,
      "port-dns.packets": 1,
      "port-dns.bytes": 47,
      "port-dns[0].connections": 1,
    },
  },
  nodePortSyn: {
    at: "ingress uplink",
    packet: `
        020000000011 02000000ff99 0800
        45000028 00014000 40063cc8 cb007105 c0000201
        c350 7580 00001001 00000000 5002ffff 6909 0000`,
    verdict: "next",
    out: `
        020000000011 02000000ff99 0800
        45000028 00014000 4006f4b5 cb007105 0a000014
        c350 1f90 00001001 00000000 5002ffff 76e7 0000`,
    markOut: MARK_IN,
    counts: { "port.connections": 1, "port.packets": 1, "port.bytes": 54, "port[0].connections": 1 },
  },
  dnsDatagram: {
    at: "ingress client",
    packet: `
        020000000021 02000000ff10 0800
        45000021 00014000 40112661 0a00000a 0a600001
        c350 0035 000d e411
        68656c6c6f`,
    verdict: "next",
    out: `
        020000000021 02000000ff10 0800
        45000021 00014000 401126ae 0a00000a 0a000014
        c350 14e9 000d cfaa
        68656c6c6f`,
    markOut: MARK_IN,
    counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 47, "dns[0].connections": 1 },
  },
  unusedPort: {
    at: "ingress client",
    packet: `
        020000000021 02000000ff10 0800
        4500002800014000400626650a00000a0a600001
        c350005100001001000000005002ffffc7d50000`,
    verdict: "redirect",
    out: `
        02000000ff10 020000000021 0800
        45000044000040004001264f0a6000010a00000a
        03031182000000004500002800014000400626650a00000a0a600001c3500051
        00001001000000005002ffffc7d50000`,
    markOut: MARK_IN | MARK_OUT,
    counts: { "drops.unused_port": 1 },
  },
};

const webSyn6: Step = {
  at: "ingress client",
  packet: `
      020000000021 02000000ff10 86dd
      6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
      c350 0050 00001001 00000000 5002ffff e198 0000`,
  verdict: "next",
  out: `
      020000000021 02000000ff10 86dd
      6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
      c350 1f90 00001001 00000000 5002ffff c2cf 0000`,
  markOut: MARK_IN,
  counts: { "web.connections": 1, "web.packets": 1, "web.bytes": 74, "web[0].connections": 1 },
};

const webSynMapped6: Step = {
  ...webSyn6,
  out: `
      020000000021 02000000ff10 86dd
      6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
      9c40 1f90 00001001 00000000 5002ffff e9df 0000`,
};

export const begun6: Begun = {
  webSyn: webSyn6,
  webSynAgain: { ...webSyn6, counts: { "web.packets": 1, "web.bytes": 74 } },
  webSynMapped: webSynMapped6,
  webSynFromMapped: {
    ...webSynMapped6,
    packet: `
        020000000021 02000000ff10 86dd
        6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
        9c40 0050 00001001 00000000 5002ffff 08a9 0000`,
  },
  webSynAck: {
    at: "egress client",
    packet: `
        02000000ff10 020000000021 86dd
        6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010
        1f90 c350 00001001 00002001 5012ffff a2be 0000`,
    verdict: "next",
    out: `
        02000000ff10 020000000021 86dd
        6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010
        0050 c350 00001001 00002001 5012ffff c187 0000`,
    markOut: MARK_OUT,
    counts: { "web.packets": 1, "web.bytes": 74 },
  },
  nodePortDatagram: {
    at: "ingress uplink",
    packet: `
        020000000011 02000000ff99 86dd
        60000000000d1140 20010db8009900000000000000000005 20010db8000200000000000000000001
        c350 7565 000d 2739
        68656c6c6f`,
    verdict: "next",
    out: `
        020000000011 02000000ff99 86dd
        60000000000d1140 20010db8009900000000000000000005 fd000000000000000000000000000020
        c350 14e9 000d b850
        68656c6c6f`,
    markOut: MARK_IN,
    counts: {
      "port-dns.connections": 1,
      "port-dns.packets": 1,
      "port-dns.bytes": 67,
      "port-dns[0].connections": 1,
    },
  },
  nodePortSyn: {
    at: "ingress uplink",
    packet: `
        020000000011 02000000ff99 86dd
        6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
        c350 7580 00001001 00000000 5002ffff 0afe 0000`,
    verdict: "next",
    out: `
        020000000011 02000000ff99 86dd
        6000000000140640 20010db8009900000000000000000005 fd000000000000000000000000000020
        c350 1f90 00001001 00000000 5002ffff 9189 0000`,
    markOut: MARK_IN,
    counts: { "port.connections": 1, "port.packets": 1, "port.bytes": 74, "port[0].connections": 1 },
  },
  dnsDatagram: {
    at: "ingress client",
    packet: `
        020000000021 02000000ff10 86dd
        60000000000d1140 fd000000000000000000000000000010 fd000096000000000000000000000001
        c350 0035 000d fdd3
        68656c6c6f`,
    verdict: "next",
    out: `
        020000000021 02000000ff10 86dd
        60000000000d1140 fd000000000000000000000000000010 fd000000000000000000000000000020
        c350 14e9 000d e996
        68656c6c6f`,
    markOut: MARK_IN,
    counts: { "dns.connections": 1, "dns.packets": 1, "dns.bytes": 67, "dns[0].connections": 1 },
  },
  unusedPort: {
    at: "ingress client",
    packet: `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000096000000000000000000000001
        c350005100001001000000005002ffffe1970000`,
    verdict: "redirect",
    out: `
        02000000ff10 020000000021 86dd
        6000000000443a40fd000096000000000000000000000001fd000000000000000000000000000010
        01049d9a000000006000000000140640fd000000000000000000000000000010
        fd000096000000000000000000000001c350005100001001000000005002ffff
        e1970000`,
    markOut: MARK_IN | MARK_OUT,
    counts: { "drops.unused_port": 1 },
  },
};
