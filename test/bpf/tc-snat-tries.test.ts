// SPDX-License-Identifier: Apache-2.0
// How hard SNAT ports are come by is counted, each port once, in the bucket of the tries that it took.

import { describe, expect, test } from "vitest";
import { type Datapath, u16 } from "./support/datapath.ts";
import { bytes } from "./support/hex.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

const FIRST = 40_000;
const DRAWS = 250;
const families = [
  {
    family: "IPv4",
    services: services4,
    request: `
      020000000011 02000000ff99 0800
      45000028 00014000 4006fd39 cb007105 c0000201
      c350 7580 00001001 00000000 5002ffff 299b 0000`,
    portOffset: 34,
    cases: [
      { ports: 2, last: 1 },
      { ports: 9, last: 4 },
    ],
  },
  {
    family: "IPv6",
    services: services6,
    request: `
      020000000011 02000000ff99 86dd
      6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
      c350 7580 00001001 00000000 5002ffff 0000 0000`,
    portOffset: 54,
    cases: [{ ports: 3, last: 2 }],
  },
];
interface Bucket {
  readonly ports: number;
  readonly tries: number;
}

/** In the order of their buckets, summed over the CPUs. */
async function read(datapath: Datapath): Promise<readonly Bucket[]> {
  return (await datapath.entries("snat_tries")).map(([, value]) => {
    const words = [...new BigUint64Array(value.slice().buffer)].map(Number);
    const sum = (field: number) => words.filter((_, n) => n % 2 === field).reduce((total, word) => total + word, 0);
    return { ports: sum(0), tries: sum(1) };
  });
}

describe.each(families)("tries of SNAT ports over $family", ({ services, request, portOffset, cases }) => {
  // Only who looks at all of them falls into the last bucket: so many ports are one more than a power of two.
  describe.each(cases)("towards an endpoint with one of $ports ports left", ({ ports, last }) => {
    const range = { snat_port_min: u16(FIRST), snat_port_max: u16(FIRST + ports - 1) };
    const datapath = useDatapath(services, { rodata: range });

    test("what takes the longest way falls into its bucket alone, and a connection that gets no port into none", async () => {
      const begin = (client: number) => {
        const packet = bytes(request);
        new DataView(packet.buffer).setUint16(portOffset, client);
        return datapath().run("ingress", "uplink", packet);
      };
      for (let n = 0; n < ports - 1; n++) await begin(50_000 + n);
      const held = new Set((await datapath().entries("nascent")).map(([key]) => Buffer.from(key).toString("hex")));
      const before = await read(datapath());
      expect(before).toHaveLength(17);
      for (let n = 0; n < DRAWS; n++) {
        expect((await begin(51_000 + n)).verdict).toBe("next");
        if (n === 0) expect((await begin(60_000)).verdict).toBe("drop");
        const keys = (await datapath().entries("nascent")).map(([key]) => key);
        await datapath().remove(
          "nascent",
          keys.filter((key) => !held.has(Buffer.from(key).toString("hex"))),
        );
      }
      const moved = (await read(datapath())).map((now, n) => ({
        ports: now.ports - (before[n]?.ports ?? 0),
        tries: now.tries - (before[n]?.tries ?? 0),
      }));
      expect(moved.reduce((sum, bucket) => sum + bucket.ports, 0)).toBe(DRAWS);
      expect(moved[0]?.tries).toBe(moved[0]?.ports);
      expect(moved[last]?.ports).toBeGreaterThan(0);
      expect(moved[last]?.tries).toBe(ports * (moved[last]?.ports ?? 0));
      expect(moved.slice(last + 1).filter((bucket) => bucket.ports + bucket.tries > 0)).toEqual([]);
    });
  });
});
