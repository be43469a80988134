// SPDX-License-Identifier: Apache-2.0
// How SCTP associations begin and end (rows 31, 48, 50), and what is no packet of one. The same for both families.

import { describe, expect, test } from "vitest";
import { ONLY_PORT } from "./support/datapath.ts";
import { bytes, dump } from "./support/hex.ts";
import {
  cutShort,
  MARK_IN,
  MARK_OUT,
  passes,
  type Scenario,
  type Step,
  table,
  useDatapath,
} from "./support/scenario.ts";
import { atClient, chunks, sctpEnds, sctpFrame, toClient } from "./support/sctp-packet.ts";
import { services4, services6 } from "./support/services.ts";
import { onesComplementSum } from "./support/valid-packet.ts";

const services = { 4: services4, 6: services6 } as const;
type Family = 4 | 6;

const toVip = (family: Family, says: string, host = 1): string => {
  const { client, vip } = sctpEnds[family];
  return sctpFrame({ ...atClient, src: `${client}:50000`, dst: `${vip(host)}:38412`, chunks: says });
};
const toBackend = (family: Family, says: string): string => {
  const { client, server } = sctpEnds[family];
  return sctpFrame({ ...atClient, src: `${client}:50000`, dst: `${server}:36412`, chunks: says });
};

/** The client says something that its backend hears. */
function said(family: Family, says: string, begins = false): Step {
  const packet = toVip(family, says);
  const counts = { "amf.packets": 1, "amf.bytes": bytes(packet).length };
  return {
    at: "ingress client",
    packet,
    verdict: "next",
    out: toBackend(family, says),
    markOut: MARK_IN,
    counts: begins ? { ...counts, "amf.connections": 1, "amf[0].connections": 1 } : counts,
  };
}

/** The backend answers. */
function answered(family: Family, says: string): Step {
  const { client, server, vip } = sctpEnds[family];
  const packet = sctpFrame({ ...toClient, src: `${server}:36412`, dst: `${client}:50000`, chunks: says });
  return {
    at: "egress client",
    packet,
    verdict: "next",
    out: sctpFrame({ ...toClient, src: `${vip(1)}:38412`, dst: `${client}:50000`, chunks: says }),
    markOut: MARK_OUT,
    counts: { "amf.packets": 1, "amf.bytes": bytes(packet).length },
  };
}

const established = (family: Family): readonly Step[] => [
  said(family, chunks.init, true),
  answered(family, chunks.initAck),
  said(family, chunks.cookieEcho),
  answered(family, chunks.cookieAck),
];

const flow = (family: Family, state: string, table = "flows"): string => {
  const { client, server, vip } = sctpEnds[family];
  return `${table} owner ${client}:50000 > ${vip(1)}:38412 > ${server}:36412${state}`;
};

function life(family: Family): readonly Scenario[] {
  return [
    {
      name: "an INIT sent again is of the same flow; a flow lasts from the COOKIE ECHO on",
      steps: [
        said(family, chunks.init, true),
        said(family, chunks.init),
        answered(family, chunks.initAck),
        said(family, chunks.init),
      ],
      flows: [flow(family, " answered", "nascent")],
    },
    { name: "a COOKIE ECHO makes it last", steps: established(family), flows: [flow(family, " answered")] },
    {
      name: "SHUTDOWN COMPLETE ends it, and is heard; a new INIT begins a new association",
      steps: [
        ...established(family),
        said(family, chunks.shutdown),
        answered(family, chunks.shutdownAck),
        said(family, chunks.shutdownComplete),
        said(family, chunks.init, true),
      ],
      flows: [flow(family, "", "nascent")],
    },
    {
      name: "until then it is open",
      steps: [...established(family), said(family, chunks.shutdown), answered(family, chunks.shutdownAck)],
      flows: [flow(family, " answered")],
    },
    {
      name: "an ABORT of the backend ends it, also behind another chunk",
      steps: [...established(family), answered(family, chunks.sack + chunks.abort)],
      flows: [flow(family, " answered rst")],
    },
    {
      name: "row 50: an INIT in the middle (a restart) goes to the backend that has the association",
      steps: [...established(family), said(family, chunks.init)],
      flows: [flow(family, " answered")],
    },
    {
      name: "bytes of DATA that look like an ABORT are data",
      steps: [...established(family), said(family, chunks.data + chunks.abort)],
      flows: [flow(family, " answered")],
    },
    ...(["cookieEcho", "data", "heartbeat", "shutdownAck", "abort", "initAck"] as const).map((name) =>
      passes(`${name} of no association we know goes by: netfilter may`, "ingress client", toVip(family, chunks[name])),
    ),
    passes("a direct association is not ours", "ingress client", toBackend(family, chunks.init)),
  ];
}

/** Two associations of one client port with one backend: the later one gets another port (clause E1), and loses it again. */
function remapped(family: Family): readonly Scenario[] {
  const { client, server, vip } = sctpEnds[family];
  const [from, mapped, backend] = [`${client}:50000`, `${client}:${ONLY_PORT}`, `${server}:36412`];
  const frame = (link: typeof atClient, src: string, dst: string, says: string): string =>
    sctpFrame({ ...link, src, dst, chunks: says });
  const sizeOf = (frame: string): number => bytes(frame).length;
  const through = frame(atClient, from, `${vip(2)}:36412`, chunks.init);
  return [
    {
      name: "row 48: an INIT to a second ClusterIP of the same backend",
      steps: [
        said(family, chunks.init, true),
        {
          at: "ingress client",
          packet: through,
          verdict: "next",
          out: frame(atClient, mapped, backend, chunks.init),
          markOut: MARK_IN,
          counts: {
            "same-amf.connections": 1,
            "same-amf.packets": 1,
            "same-amf.bytes": sizeOf(through),
            "same-amf[0].connections": 1,
          },
        },
        {
          at: "egress client",
          packet: frame(toClient, backend, mapped, chunks.initAck),
          verdict: "next",
          out: frame(toClient, `${vip(2)}:36412`, from, chunks.initAck),
          markOut: MARK_OUT,
          counts: {
            "same-amf.packets": 1,
            "same-amf.bytes": sizeOf(frame(toClient, backend, mapped, chunks.initAck)),
          },
        },
      ],
    },
    {
      name: "row 48: a direct INIT to the backend",
      steps: [
        said(family, chunks.init, true),
        {
          at: "ingress client",
          packet: toBackend(family, chunks.init),
          verdict: "next",
          out: frame(atClient, mapped, backend, chunks.init),
          markOut: MARK_IN,
        },
        {
          at: "egress client",
          packet: frame(toClient, backend, mapped, chunks.initAck),
          verdict: "next",
          out: frame(toClient, backend, from, chunks.initAck),
          markOut: MARK_OUT,
        },
      ],
    },
  ];
}

/** ICMP or ICMPv6 port unreachable from the VIP, with the IP header and 20 bytes of the INIT. */
function unreachable(family: Family, refused: string): string {
  const ip = bytes(refused).slice(14);
  const quote = ip.slice(0, (family === 4 ? 20 : 40) + 20);
  const addresses = family === 4 ? [ip.slice(16, 20), ip.slice(12, 16)] : [ip.slice(24, 40), ip.slice(8, 24)];
  const message = Buffer.concat([bytes(family === 4 ? "03030000 00000000" : "01040000 00000000"), quote]);
  const tail = Uint8Array.of(0, 0, 0, message.length, 0, 0, 0, 58);
  message.writeUInt16BE(0xffff - onesComplementSum(family === 4 ? [message] : [...addresses, tail, message]), 2);
  const header = Buffer.from(
    family === 4 ? "450000000000400040010000" : `6000000000${message.length.toString(16)}3a40`,
    "hex",
  );
  if (family === 4) {
    header.writeUInt16BE(20 + message.length, 2);
    header.writeUInt16BE(0xffff - onesComplementSum([header, ...addresses]), 10);
  }
  const macs = bytes(toClient.to + toClient.from + (family === 4 ? "0800" : "86dd"));
  return Buffer.concat([macs, header, ...addresses, message]).toString("hex");
}

const refusals = (family: Family): readonly Scenario[] => [
  {
    name: "row 31: no endpoints: port unreachable, with as much of the INIT as its sender knows it by",
    steps: [
      {
        at: "ingress client",
        packet: toVip(family, chunks.init, 9),
        verdict: "redirect",
        out: unreachable(family, toVip(family, chunks.init, 9)),
        markOut: MARK_IN | MARK_OUT,
        counts: { "nobody-amf.rejects": 1, "drops.no_endpoints": 1 },
      },
    ],
    flows: [],
  },
];

const malformed = (family: Family): readonly Scenario[] =>
  [
    ["a chunk of length 3", chunks.init.replace("0014", "0003")],
    ["an INIT shorter than an INIT", "01000010 0000a001 0000fc00 000a 000a"],
    ["a chunk that is longer than the packet", chunks.init.replace("0014", "0018")],
    ["a second chunk of length 0", `${chunks.sack} 00000000`],
  ].map(([name = "", says = ""]) => cutShort(`${name} goes nowhere`, "ingress client", toVip(family, says)));

for (const family of [4, 6] as const) {
  table(`life of an SCTP association over IPv${family}`, services[family], life(family));
  table(`SCTP ports remapped over IPv${family}`, services[family], remapped(family));
  table(`SCTP refused over IPv${family}`, services[family], refusals(family));
  table(`malformed SCTP over IPv${family}`, services[family], malformed(family));
}

describe.each([4, 6] as const)("SCTP checksums over IPv%s", (family) => {
  const datapath = useDatapath(services[family]);
  const { client, server, vip } = sctpEnds[family];
  const init = { ...atClient, src: `${client}:50000`, chunks: chunks.init };
  const at = family === 4 ? 42 : 62;
  const checksumOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(at, true);

  test("row 48: a checksum that the kernel has yet to compute stays 0 while the port changes", async () => {
    const outcome = await datapath().run(
      "ingress",
      "client",
      bytes(sctpFrame({ ...init, dst: `${vip(1)}:38412`, checksum: "00000000" })),
    );
    expect(dump(outcome.data)).toBe(dump(bytes(sctpFrame({ ...init, dst: `${server}:36412`, checksum: "00000000" }))));
    await datapath().forgetFlows();
  });

  test("row 48: what was damaged stays damaged, by the same difference", async () => {
    const right = bytes(sctpFrame({ ...init, dst: `${vip(1)}:38412` }));
    const expected = bytes(sctpFrame({ ...init, dst: `${server}:36412` }));
    const damaged = right.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0x40;
    const outcome = await datapath().run("ingress", "client", damaged);
    expect((checksumOf(outcome.data) ^ checksumOf(expected)) >>> 0).toBe(0x40);
    await datapath().forgetFlows();
  });
});
