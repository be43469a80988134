// SPDX-License-Identifier: Apache-2.0
// How hard SNAT ports are come by is counted, each port once, in the bucket of the tries that it took.

import { describe, expect, test } from "vitest";
import { type Datapath, u16 } from "./support/datapath.ts";
import { outsider4, outsider6 } from "./support/outsider.ts";
import { useDatapath } from "./support/scenario.ts";

const FIRST = 40_000;
const DRAWS = 250;
const families = [
  {
    ...outsider4,
    cases: [
      { ports: 2, last: 1 },
      { ports: 9, last: 4 },
    ],
  },
  { ...outsider6, cases: [{ ports: 3, last: 2 }] },
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

describe.each(families)("tries of SNAT ports over $family", ({ services, syn, cases }) => {
  // Only who looks at all of them falls into the last bucket: so many ports are one more than a power of two.
  describe.each(cases)("towards an endpoint with one of $ports ports left", ({ ports, last }) => {
    const range = { snat_port_min: u16(FIRST), snat_port_max: u16(FIRST + ports - 1) };
    const datapath = useDatapath(services, { rodata: range });

    test("what takes the longest way falls into its bucket alone, and a connection that gets no port into none", async () => {
      const begin = (client: number) => datapath().run("ingress", "uplink", syn(client));
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
