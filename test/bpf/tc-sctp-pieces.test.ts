// SPDX-License-Identifier: Apache-2.0
// SCTP packets of which only a part is here (row 48): IP fragments, and what ICMP errors quote (clause E7).

import { bytes } from "./support/hex.ts";
import { MARK_IN, MARK_OUT, type Scenario, type Step, table } from "./support/scenario.ts";
import { atClient, chunks, ipOf, sctpEnds, sctpFrame, toClient } from "./support/sctp-packet.ts";
import { services4, services6 } from "./support/services.ts";
import { onesComplementSum } from "./support/valid-packet.ts";

type Family = 4 | 6;
const services = { 4: services4, 6: services6 } as const;
const sizeOf = (frame: string): number => bytes(frame).length;

/** An INIT to a frontend, as its first fragment; IPv6 says so in a header of its own. */
function firstFragment(family: Family, dst: string): string {
  const piece = family === 4 ? { fragment: "2000" } : { headers: { type: 44, hex: "84000001 00000007" } };
  return sctpFrame({ ...atClient, src: `${sctpEnds[family].client}:50000`, dst, chunks: chunks.init, ...piece });
}

const fragments = (family: Family): readonly Scenario[] => {
  const { server, vip } = sctpEnds[family];
  const [same, other] = [firstFragment(family, `${vip(2)}:36412`), firstFragment(family, `${vip(1)}:38412`)];
  return [
    {
      name: "row 48: a fragment is translated where its port stays",
      steps: [
        {
          at: "ingress client",
          packet: same,
          verdict: "next",
          out: firstFragment(family, `${server}:36412`),
          markOut: MARK_IN,
          counts: {
            "same-amf.connections": 1,
            "same-amf.packets": 1,
            "same-amf.bytes": sizeOf(same),
            "same-amf[0].connections": 1,
          },
        },
      ],
    },
    {
      name: "row 48: a fragment whose port would have to change is dropped, and counted: the checksum covers the others too",
      steps: [
        {
          at: "ingress client",
          packet: other,
          verdict: "drop",
          markOut: MARK_IN,
          counts: {
            "amf.connections": 1,
            "amf.packets": 1,
            "amf.bytes": sizeOf(other),
            "amf[0].connections": 1,
            "drops.rewrite_failed": 1,
          },
        },
      ],
    },
  ];
};

/** A router on the way to the backend says that a packet was too big, and quotes it: whole, or its first bytes. */
function tooBig(family: Family, quoted: string): string {
  const { client } = sctpEnds[family];
  const frame = sctpFrame({
    ...toClient,
    src: family === 4 ? "198.51.100.9:1" : "[2001:db8:51::9]:1",
    dst: `${client}:1`,
    chunks: "",
  });
  const ip = bytes(ipOf(frame));
  const message = Buffer.concat([bytes(family === 4 ? "03040000 00000578" : "02000000 00000578"), bytes(quoted)]);
  const head = Buffer.from(ip.slice(0, family === 4 ? 20 : 40));
  if (family === 4) {
    head.writeUInt16BE(20 + message.length, 2);
    head[9] = 1;
    head.writeUInt16BE(0, 10);
    head.writeUInt16BE(0xffff - onesComplementSum([head]), 10);
    message.writeUInt16BE(0xffff - onesComplementSum([message]), 2);
  } else {
    head.writeUInt16BE(message.length, 4);
    head[6] = 58;
    const pseudo = Buffer.concat([head.subarray(8), Uint8Array.of(0, 0, 0, message.length, 0, 0, 0, 58)]);
    message.writeUInt16BE(0xffff - onesComplementSum([pseudo, message]), 2);
  }
  const link = bytes(frame.slice(0, 25) + (family === 4 ? "0800" : "86dd"));
  return Buffer.concat([link, head, message]).toString("hex");
}

const errors = (family: Family): readonly Scenario[] => {
  const { client, server, vip } = sctpEnds[family];
  const sent = { ...atClient, src: `${client}:50000`, dst: `${vip(1)}:38412`, chunks: chunks.init };
  const seen = { ...sent, dst: `${server}:36412` };
  const begin: Step = {
    at: "ingress client",
    packet: sctpFrame(sent),
    verdict: "next",
    out: sctpFrame(seen),
    markOut: MARK_IN,
    counts: {
      "amf.connections": 1,
      "amf.packets": 1,
      "amf.bytes": sizeOf(sctpFrame(sent)),
      "amf[0].connections": 1,
    },
  };
  const header = family === 4 ? 20 : 40;
  const short = tooBig(family, claimingLess(family, sctpFrame(seen), sctpFrame(seen)));
  const lying: Scenario = {
    name: "row 48: packet too big, quoting SCTP that says it is shorter than its header: nobody can tell its checksum",
    steps: [
      begin,
      {
        at: "egress client",
        packet: short,
        verdict: "next",
        out: tooBig(family, claimingLess(family, sctpFrame(sent), sctpFrame(seen))),
        markOut: MARK_OUT,
        counts: { "amf.packets": 1, "amf.bytes": sizeOf(short) },
      },
    ],
  };
  const told = [
    ["whole", header + 32],
    ["with its header", header + 12],
  ].map(([how, size]): Scenario => {
    const cut = (frame: string): string => ipOf(frame).slice(0, Number(size) * 2);
    const packet = tooBig(family, cut(sctpFrame(seen)));
    return {
      name: `row 48: packet too big, quoting SCTP ${how}: the client gets back what it sent, the checksum as well`,
      steps: [
        begin,
        {
          at: "egress client",
          packet,
          verdict: "next",
          out: tooBig(family, cut(sctpFrame(sent))),
          markOut: MARK_OUT,
          counts: { "amf.packets": 1, "amf.bytes": sizeOf(packet) },
        },
      ],
    };
  });
  return [...told, lying];
};

/** The packet of a frame with 3 bytes behind its IP header, as that says of itself, and the checksum of another one. */
function claimingLess(family: Family, frame: string, summed: string): string {
  const header = family === 4 ? 20 : 40;
  const packet = Buffer.from(bytes(ipOf(frame)).slice(0, header + 12));
  packet.set(bytes(ipOf(summed)).slice(header + 8, header + 12), header + 8);
  if (family === 6) {
    packet.writeUInt16BE(3, 4);
    return packet.toString("hex");
  }
  packet.writeUInt16BE(header + 3, 2);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(0xffff - onesComplementSum([packet.subarray(0, header)]), 10);
  return packet.toString("hex");
}

for (const family of [4, 6] as const) {
  table(`SCTP in fragments over IPv${family}`, services[family], fragments(family));
  table(`ICMP errors about SCTP over IPv${family}`, services[family], errors(family));
}
