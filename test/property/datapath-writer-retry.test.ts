// SPDX-License-Identifier: Apache-2.0
// The map writer under changes of which any system call on the frontends may fail: every change ends in the maps.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { CompiledService } from "../../src/compile/state.ts";
import { checkInvariants } from "../../src/datapath/ebpf/invariants.ts";
import { MapWriter } from "../../src/datapath/ebpf/writer.ts";
import { clusterIp, type MemoryMap, member, memoryMaps, service } from "../unit/datapath/memory-maps.ts";

const NAMES = ["a", "b", "c"] as const;

/** Which service has each of four addresses, "" for none, and which calls of the step fail. */
interface Step {
  readonly owners: readonly string[];
  readonly failing: readonly number[];
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    owners: fc.array(fc.constantFrom("", ...NAMES), { minLength: 4, maxLength: 4 }),
    failing: fc.uniqueArray(fc.nat(4), { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 10 },
);

function servicesOf(owners: readonly string[]): readonly CompiledService[] {
  return NAMES.filter((name) => owners.includes(name)).map((name) => {
    const frontends = owners.flatMap((owner, n) => (owner === name ? [clusterIp(`10.96.0.${n}`)] : []));
    return service(name, { frontends, cluster: [member("10.0.0.1")] });
  });
}

/** Makes the calls of these numbers, from now on, throw. */
function failCalls(map: MemoryMap, failing: readonly number[]): Disposable {
  let call = 0;
  const [update, remove] = [map.update.bind(map), map.delete.bind(map)];
  const mayFail = () => {
    if (failing.includes(call++)) throw new Error("ENOMEM");
  };
  map.update = (key, value) => {
    mayFail();
    update(key, value);
  };
  map.delete = (key) => {
    mayFail();
    return remove(key);
  };
  return { [Symbol.dispose]: () => [Reflect.deleteProperty(map, "update"), Reflect.deleteProperty(map, "delete")] };
}

test("whatever calls fail, no frontend points nowhere, and a retry makes the maps what was wanted last", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const maps = memoryMaps();
      const writer = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError: () => {} });
      writer.adopt();
      writer.sync({ upsert: [], remove: [] });
      const violations = () => checkInvariants(writer.stores.cells, maps, writer.stores);
      for (const { owners, failing } of history) {
        using _broken = failCalls(maps.frontends, failing);
        const upsert = servicesOf(owners);
        const remove = NAMES.filter((name) => !owners.includes(name)).map((name) => service(name).key);
        try {
          writer.apply({ upsert, remove });
        } catch (error) {
          expect(String(error)).toContain("ENOMEM");
        }
        expect(violations()).toEqual([]);
      }
      writer.retry();
      expect(violations()).toEqual([]);
      const held = [...maps.frontends.entries()].map(([key]) => key[15]).sort();
      expect(held).toEqual((history.at(-1)?.owners ?? []).flatMap((owner, n) => (owner === "" ? [] : [n])));
      expect(writer.retry()).toMatchObject({ servicesWritten: 0, frontendsWritten: 0, frontendsRemoved: 0 });
    }),
    { numRuns: 200 },
  );
}, 60_000);
