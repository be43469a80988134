// SPDX-License-Identifier: Apache-2.0
// Maglev on the wire: two nodes choose alike, and a backend that goes moves nobody but its own clients.

import { describe, expect, test } from "vitest";
import { maglevTable } from "../../src/datapath/ebpf/maglev.ts";
import type { Datapath } from "./support/datapath.ts";
import { bytes } from "./support/hex.ts";
import { useDatapath } from "./support/scenario.ts";
import { end, type Service } from "./support/world.ts";

const FLOWS = 400;
const endpoints = ["10.200.0.21:8080", "10.200.0.22:8080", "10.200.0.23:8080", "10.200.0.24:8080", "10.200.0.25:8080"];

/** externalTrafficPolicy Local spares the SNAT; all endpoints count as local. */
function service(present: readonly string[]): Service {
  const members = present.map((endpoint) => {
    const { addr, port } = end(endpoint);
    return { identity: Uint8Array.of(...addr, port >> 8, port & 255, 6), weight: 1 };
  });
  return {
    name: "web",
    proto: "tcp",
    kind: "externalIP",
    frontend: "198.51.100.1:80",
    endpoints: present,
    flags: 2,
    table: [...maglevTable(members)],
  };
}

const [RST, ACK] = [0x04, 0x10];
/** Of a frame without options. */
const FLAGS_AT = 47;

const syn = bytes(`
  020000000011 02000000ff99 0800
  45000028 00014000 400694d3 cb007105 c6336401
  c350 0050 00001001 00000000 5002ffff 36b4 0000`);

/** Backend's last byte for each client port. */
async function choices(datapath: Datapath): Promise<readonly number[]> {
  const chosen: number[] = [];
  for (let port = 20000; port < 20000 + FLOWS; port++) {
    const packet = syn.slice();
    new DataView(packet.buffer).setUint16(34, port);
    chosen.push((await datapath.run("ingress", "uplink", packet)).data[33] ?? 0);
  }
  await datapath.forgetFlows();
  return chosen;
}

describe("Maglev", () => {
  const here = useDatapath([service(endpoints)]);
  const there = useDatapath([service([...endpoints].reverse())]);
  const without = useDatapath([service(endpoints.filter((endpoint) => endpoint !== "10.200.0.23:8080"))]);

  test("two copies of the programs choose alike, whatever the order of their endpoints", async () => {
    const chosen = await choices(here());
    expect(await choices(there())).toEqual(chosen);
    const perBackend = [21, 22, 23, 24, 25].map((last) => chosen.filter((byte) => byte === last).length);
    for (const count of perBackend) expect(count).toBeGreaterThan((FLOWS / 5) * 0.6);
    expect(perBackend.reduce((a, b) => a + b)).toBe(FLOWS);
  });

  test("clients of the backends that stay, stay: but for the few percent that Maglev moves", async () => {
    const before = await choices(here());
    const after = await choices(without());
    const kept = before.map((last, i) => [last, after[i]] as const).filter(([last]) => last !== 23);
    const moved = kept.filter(([last, now]) => last !== now).length;
    expect(moved / kept.length).toBeLessThan(0.05);
    expect(after).not.toContain(23);
  });

  test("row 50: a packet of a connection that nobody here knows is reset, not sent where the table points", async () => {
    const before = await here().counters();
    for (let port = 20000; port < 20020; port++) {
      const packet = syn.slice();
      new DataView(packet.buffer).setUint16(34, port);
      packet[FLAGS_AT] = ACK;
      const { verdict, data } = await here().run("ingress", "uplink", packet);
      expect({ verdict, flags: data[FLAGS_AT], to: data.slice(30, 34) }).toEqual({
        verdict: "redirect",
        flags: RST,
        to: packet.slice(26, 30),
      });
    }
    expect(await here().flows()).toEqual([]);
    const after = await here().counters();
    expect((after["drops.no_flow"] ?? 0) - (before["drops.no_flow"] ?? 0)).toBe(20);
  });
});
