// SPDX-License-Identifier: Apache-2.0
// Random packets: noise comes out as it went in, and what is served finds its way back. fuzz.test.ts has the millions.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipFromBytes } from "../../src/model/ip.ts";
import { answerTo, buildPacket, endsOf } from "./support/build-packet.ts";
import { u16 } from "./support/datapath.ts";
import { bytes, dump } from "./support/hex.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { type DeviceName, macOf } from "./support/topology.ts";
import { faultOf } from "./support/valid-packet.ts";
import { end, type Service } from "./support/world.ts";

const anyPort = { rodata: { snat_port_min: u16(1024), snat_port_max: u16(65535) } };
/** The kernel takes no shorter packet that says it is IPv6. */
const SHORTEST = 54;

const hook = fc.constantFrom("ingress" as const, "egress" as const);
const anyDevice = fc.constantFrom("uplink", "client", "server", "portA", "bridge", "overlay", "tunnel", "lo");
const port = fc.integer({ min: 0, max: 65535 });
const payload = fc.uint8Array({ maxLength: 1200 });

const client = (family: 4 | 6) =>
  fc
    .integer({ min: 1, max: 254 })
    .map((host) => (family === 4 ? `203.0.113.${host}` : `2001:db8:99::${host.toString(16)}`));

function frontendOf(service: Service): { readonly destination: string; readonly destinationPort: number } {
  const { addr, port: destinationPort } = end(service.frontend);
  const text: string = ipFromBytes(addr);
  const wildcard = { "0.0.0.0": "192.0.2.1", "::": "2001:db8:2::1" } as Readonly<Record<string, string>>;
  return { destination: wildcard[text] ?? text, destinationPort };
}

/** A first packet of a client outside to one of the Services. */
const request = (device: DeviceName, wanted: (service: Service) => boolean) =>
  fc.constantFrom(4 as const, 6 as const).chain((family) =>
    fc
      .record({
        service: fc.constantFrom(...(family === 4 ? services4 : services6).filter(wanted)),
        source: client(family),
        sourcePort: port,
        payload,
      })
      .map(({ service, ...fields }) =>
        buildPacket({ ...fields, ...frontendOf(service), device, family, proto: service.proto, flags: 2 }),
      ),
  );

describe("random packets", () => {
  const datapath = useDatapath([...services4, ...services6], anyPort);

  test("noise goes by untouched", async () => {
    const noise = fc.record({
      bytes: fc.uint8Array({ minLength: SHORTEST, maxLength: 300 }),
      type: fc.constantFrom([0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], undefined),
    });
    await fc.assert(
      fc.asyncProperty(noise, hook, anyDevice, async ({ bytes, type }, at, name) => {
        if (type) bytes.set(type, 12);
        const { verdict, data, mark } = await datapath().run(at, name, bytes);
        expect({ verdict, mark, data: dump(data) }).toEqual({ verdict: "next", mark: 0, data: dump(bytes) });
      }),
      { numRuns: 400 },
    );
  });

  test("what goes to a backend by ClusterIP comes back from the ClusterIP", async () => {
    const served = request(
      "client",
      ({ kind, endpoints, local }) => kind === "ClusterIP" && endpoints[0] !== undefined && local !== 0,
    );
    await fc.assert(
      fc.asyncProperty(served, async (packet) => {
        const there = await datapath().run("ingress", "client", packet);
        expect(there.verdict).toBe("next");
        const back = await datapath().run("egress", "client", answerTo(there.data));
        expect(faultOf(back.data)).toBeUndefined();
        expect(endsOf(answerTo(back.data))).toBe(endsOf(packet));
      }),
      { numRuns: 300 },
    );
    await expectNothingLeft(datapath());
  });

  test("what goes through a NodePort to a pod of this node comes back from the NodePort, the pod sees the node", async () => {
    const masqueraded = request("uplink", ({ name }) => ["port", "port-dns", "port-amf"].includes(name));
    await fc.assert(
      fc.asyncProperty(masqueraded, async (packet) => {
        const inside = await datapath().run("ingress", "uplink", packet);
        const atPod = await datapath().run("egress", "server", inside.data, inside.mark);
        const answer = answerTo(atPod.data);
        answer.set(bytes(macOf("server")));
        const reply = await datapath().run("ingress", "server", answer);
        const out = await datapath().run("egress", "uplink", reply.data, reply.mark);
        const steps = [inside, atPod, reply, out];
        expect(steps.map(({ verdict }) => verdict)).toEqual(["next", "next", "next", "next"]);
        expect(steps.map(({ data }) => faultOf(data))).toEqual(steps.map(() => undefined));
        expect(endsOf(atPod.data)).toMatch(/^(c0000201|20010db8000200000000000000000001):/);
        expect(endsOf(answerTo(reply.data))).toBe(endsOf(inside.data));
        expect(endsOf(answerTo(out.data))).toBe(endsOf(packet));
      }),
      { numRuns: 200 },
    );
    await expectNothingLeft(datapath());
  });
});
