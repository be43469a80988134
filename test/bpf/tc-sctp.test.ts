// SPDX-License-Identifier: Apache-2.0
// SCTP (row 48) at all four places, both families: addresses without, ports with a change of its CRC32c, which the
// tables compute over the whole packet.

import { describe, expect, test } from "vitest";
import { crc32c } from "./support/crc32c.ts";
import { ONLY_PORT } from "./support/datapath.ts";
import { bytes, dump } from "./support/hex.ts";
import { MARK_IN, MARK_OUT, passes, type Scenario, type Step, table, useDatapath } from "./support/scenario.ts";
import {
  atClient,
  atServer,
  atUplink,
  chunks,
  sctpEnds,
  sctpFrame,
  toClient,
  toServer,
  toUplink,
} from "./support/sctp-packet.ts";
import { services4, services6 } from "./support/services.ts";

describe("the CRC32c of the tables", () => {
  test.each([
    ["31 bytes and one more of 0", "00".repeat(32), 0x8a9136aa],
    ["32 bytes of ff", "ff".repeat(32), 0x62a8ab43],
    ["0 to 31", Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("hex"), 0x46dd794e],
    ["the digits 1 to 9", "313233343536373839", 0xe3069283],
  ])("is that of RFC 3720 B.4 and the check value of the catalogue: %s", (_, message, expected) => {
    expect(crc32c(bytes(message))).toBe(expected);
  });
});

/** Written out once, so that the builder of the other tables is held to something. */
const writtenOut: Scenario = {
  name: "row 48: an INIT to a ClusterIP, every byte written out",
  steps: [
    {
      at: "ingress client",
      packet: `
        020000000021 02000000ff10 0800
        45000034 00014000 408425db 0a00000a 0a600001
        c350 960c 00000000 f9d61391
        01000014 0000a001 0000fc00 000a000a 00000001`,
      verdict: "next",
      out: `
        020000000021 02000000ff10 0800
        45000034 00014000 40842628 0a00000a 0a000014
        c350 8e3c 00000000 c1777fbf
        01000014 0000a001 0000fc00 000a000a 00000001`,
      markOut: MARK_IN,
      counts: { "amf.connections": 1, "amf.packets": 1, "amf.bytes": 66, "amf[0].connections": 1 },
    },
  ],
  flows: ["nascent owner 10.0.0.10:50000 > 10.96.0.1:38412 > 10.0.0.20:36412"],
};
table("SCTP, written out", services4, [writtenOut]);

const services = { 4: services4, 6: services6 } as const;

/** A pod, a ClusterIP, both ways. Ports change with "amf" only. */
function throughClusterIp(family: 4 | 6, name: "amf" | "same-amf"): Scenario {
  const { client, server, vip } = sctpEnds[family];
  const end = { src: `${client}:50000`, dst: name === "amf" ? `${vip(1)}:38412` : `${vip(2)}:36412` };
  const inner = { src: `${client}:50000`, dst: `${server}:36412` };
  const back = { src: inner.dst, dst: inner.src };
  const bytesOf = (frame: string): number => bytes(frame).length;
  const request = (says: string, begins: boolean): Step => {
    const packet = sctpFrame({ ...atClient, ...end, chunks: says });
    const counts = { [`${name}.packets`]: 1, [`${name}.bytes`]: bytesOf(packet) };
    return {
      at: "ingress client",
      packet,
      verdict: "next",
      out: sctpFrame({ ...atClient, ...inner, chunks: says }),
      markOut: MARK_IN,
      counts: begins ? { ...counts, [`${name}.connections`]: 1, [`${name}[0].connections`]: 1 } : counts,
    };
  };
  const reply = (says: string): Step => {
    const packet = sctpFrame({ ...toClient, ...back, chunks: says });
    return {
      at: "egress client",
      packet,
      verdict: "next",
      out: sctpFrame({ ...toClient, src: end.dst, dst: end.src, chunks: says }),
      markOut: MARK_OUT,
      counts: { [`${name}.packets`]: 1, [`${name}.bytes`]: bytesOf(packet) },
    };
  };
  return {
    name:
      name === "amf"
        ? `row 8: a port number that only SCTP has, another target port, IPv${family}`
        : `row 48: a pod to a ClusterIP with the same target port, IPv${family}`,
    steps: [
      request(chunks.init, true),
      { at: "egress server", packet: sctpFrame({ ...toServer, ...inner, chunks: chunks.init }), verdict: "next" },
      { at: "ingress server", packet: sctpFrame({ ...atServer, ...back, chunks: chunks.initAck }), verdict: "next" },
      reply(chunks.initAck),
      request(chunks.cookieEcho + chunks.data, false),
      reply(chunks.cookieAck + chunks.sack),
      request(chunks.sack + chunks.data, false),
      reply(chunks.heartbeat),
    ],
    flows: [`flows owner ${end.src} > ${end.dst} > ${inner.dst} answered`],
  };
}

/** A client outside, a NodePort, a masqueraded pod: each of the four places changes one end. */
function throughNodePort(family: 4 | 6): Scenario {
  const { outside, node, server } = sctpEnds[family];
  const [client, vip] = [`${outside}:50000`, `${node}:30412`];
  const [backend, snat] = [`${server}:36412`, `${node}:${ONLY_PORT}`];
  const counts = (packet: string) => ({ "port-amf.packets": 1, "port-amf.bytes": bytes(packet).length });
  const request = sctpFrame({ ...atUplink, src: client, dst: vip, chunks: chunks.init });
  const reply = sctpFrame({ ...toUplink, src: backend, dst: client, chunks: chunks.initAck, ttl: 63 });
  return {
    name: `row 48: from outside to a NodePort and back, masqueraded, IPv${family}`,
    steps: [
      {
        at: "ingress uplink",
        packet: request,
        verdict: "next",
        out: sctpFrame({ ...atUplink, src: client, dst: backend, chunks: chunks.init }),
        markOut: MARK_IN,
        counts: { ...counts(request), "port-amf.connections": 1, "port-amf[0].connections": 1 },
      },
      {
        at: "egress server",
        packet: sctpFrame({ ...toServer, src: client, dst: backend, chunks: chunks.init, ttl: 63 }),
        mark: MARK_IN,
        verdict: "next",
        out: sctpFrame({ ...toServer, src: snat, dst: backend, chunks: chunks.init, ttl: 63 }),
        markOut: MARK_IN | MARK_OUT,
      },
      {
        at: "ingress server",
        packet: sctpFrame({ ...atServer, src: backend, dst: snat, chunks: chunks.initAck }),
        verdict: "next",
        out: sctpFrame({ ...atServer, src: backend, dst: client, chunks: chunks.initAck }),
        markOut: MARK_IN,
      },
      {
        at: "egress uplink",
        packet: reply,
        mark: MARK_IN,
        verdict: "next",
        out: sctpFrame({ ...toUplink, src: vip, dst: client, chunks: chunks.initAck, ttl: 63 }),
        markOut: MARK_IN | MARK_OUT,
        counts: counts(reply),
      },
    ],
    flows: [`nascent owner ${client} > ${vip} > ${backend} as ${snat} answered`],
  };
}

/** Uplink to uplink: both ends at once. */
function inTransit(family: 4 | 6): Scenario {
  const { outside, node, remote } = sctpEnds[family];
  const packet = sctpFrame({ ...atUplink, src: `${outside}:50000`, dst: `${node}:30413`, chunks: chunks.init });
  const out = { ...atUplink, src: `${node}:${ONLY_PORT}`, dst: `${remote}:36412`, chunks: chunks.init, ttl: 63 };
  return {
    name: `row 48: through the node to a remote backend, IPv${family}`,
    steps: [
      {
        at: "ingress uplink",
        packet,
        verdict: "redirect",
        out: sctpFrame(out),
        markOut: MARK_IN | MARK_OUT,
        counts: {
          "far-amf.connections": 1,
          "far-amf.packets": 1,
          "far-amf.bytes": bytes(packet).length,
          "far-amf[0].connections": 1,
        },
      },
    ],
  };
}

/** Around headers that stay as they are. */
function behindHeaders(
  family: 4 | 6,
  name: string,
  headers: { readonly type: number; readonly hex: string },
): Scenario {
  const { client, server, vip } = sctpEnds[family];
  const fields = { ...atClient, src: `${client}:50000`, chunks: chunks.init, headers };
  const packet = sctpFrame({ ...fields, dst: `${vip(1)}:38412` });
  return {
    name: `row 48: ${name}`,
    steps: [
      {
        at: "ingress client",
        packet,
        verdict: "next",
        out: sctpFrame({ ...fields, dst: `${server}:36412` }),
        markOut: MARK_IN,
        counts: {
          "amf.connections": 1,
          "amf.packets": 1,
          "amf.bytes": bytes(packet).length,
          "amf[0].connections": 1,
        },
      },
    ],
  };
}

const tagged = (frame: string): string => frame.replace(/ (0800|86dd) /, " 8100 0064 $1 ");
const initTo = (family: 4 | 6): string => {
  const { client, vip } = sctpEnds[family];
  return sctpFrame({ ...atClient, src: `${client}:50000`, dst: `${vip(1)}:38412`, chunks: chunks.init });
};

for (const family of [4, 6] as const) {
  table(`SCTP over IPv${family}`, services[family], [
    throughClusterIp(family, "amf"),
    throughClusterIp(family, "same-amf"),
    throughNodePort(family),
    inTransit(family),
    passes("a frame with a VLAN tag is left alone", "ingress client", tagged(initTo(family)), "malformed"),
    ...(family === 4
      ? [behindHeaders(4, "IPv4 options", { type: 0, hex: "94040000 01010100" })]
      : [
          behindHeaders(6, "IPv6 hop-by-hop and destination options", {
            type: 0,
            hex: "3c00010400000000 8400010400000000",
          }),
        ]),
  ]);
}

/** From the shortest INIT to the longest packet of an Ethernet. */
const lengths = [32, 33, 34, 35, 36, 63, 64, 65, 127, 128, 255, 256, 257, 511, 512, 1023, 1024, 1025, 1479, 1480];

describe.each([4, 6] as const)("row 48: SCTP packets of any length over IPv%s", (family) => {
  const datapath = useDatapath(services[family]);
  const { client, server, vip } = sctpEnds[family];

  /** INIT with parameters of any bytes, odd lengths included: behind the chunk is padding. */
  const frameOf = (length: number, dst: string): string => {
    const rest = Buffer.from(Array.from({ length: length - 32 }, (_, i) => (i * 37 + length) & 255)).toString("hex");
    const init = (20 + length - 32).toString(16).padStart(4, "0");
    return sctpFrame({
      ...atClient,
      src: `${client}:${40000 + length}`,
      dst,
      chunks: chunks.init.replace("0014", init) + rest,
    });
  };

  test.each(lengths)("%i bytes: the checksum of the translated packet is right", async (length) => {
    const packet = frameOf(length, `${vip(1)}:38412`);
    const outcome = await datapath().run("ingress", "client", bytes(packet));
    expect(dump(outcome.data)).toBe(dump(bytes(frameOf(length, `${server}:36412`))));
    await datapath().forgetFlows();
  });
});
