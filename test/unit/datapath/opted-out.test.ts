// SPDX-License-Identifier: Apache-2.0
// The map of pods whose sockets are not balanced, and the cell that says which levels of it count.

import { expect, test } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { decode } from "../../../src/datapath/ebpf/codec.ts";
import { OptedOutTable } from "../../../src/datapath/ebpf/opted-out.ts";
import { FakeMap } from "../../../src/libbpf/fake.ts";
import type { Ip } from "../../../src/model/ip.ts";

const POD = { namespace: "default", name: "mesh", addresses: ["10.9.1.10", "fd00:9:1::10"] as Ip[] };
const OTHER = { namespace: "default", name: "vm", addresses: [] };

/** Notes every write to either map, with what both said then. */
class Maps {
  readonly writes: string[] = [];
  readonly #keys: FakeMap;
  readonly #cell: FakeMap;
  /** No update succeeds of a map that holds keys. */
  full = false;

  constructor() {
    this.#keys = this.#noting("opted_out", 1, abi.optOutKey.size, abi.optOut.size, 8);
    this.#cell = this.#noting("opted_out_at", 2, 4, abi.optOutLevels.size, 1);
  }

  table(): OptedOutTable {
    const table = new OptedOutTable(this.#keys, this.#cell);
    table.adopt();
    return table;
  }

  /** "levels 1001: 7@3 default/mesh" */
  said(): string {
    const { bits } = decode(abi.optOutLevels, this.#cell.lookup(new Uint8Array(4)) ?? new Uint8Array(8));
    const keys = [...this.#keys.entries()].map(([key, value]) => {
      const { id, level } = decode(abi.optOutKey, key);
      const { namespace, pod } = decode(abi.optOut, value);
      return `${id}@${level} ${namespace}/${pod}`;
    });
    return [`levels ${bits.toString(2)}:`, ...keys.sort()].join(" ");
  }

  #noting(name: string, type: number, keySize: number, valueSize: number, maxEntries: number): FakeMap {
    const note = () => this.writes.push(this.said());
    const isFull = () => this.full && keySize > 4;
    class Noting extends FakeMap {
      override update(key: Uint8Array, value: Uint8Array): void {
        if (isFull()) throw new Error("E2BIG");
        super.update(key, value);
        note();
      }

      override delete(key: Uint8Array): boolean {
        const deleted = super.delete(key);
        note();
        return deleted;
      }
    }
    return new Noting({ name, type, keySize, valueSize, maxEntries });
  }
}

test("a level is asked for before it has a key, and until it has none any more", () => {
  const maps = new Maps();
  const table = maps.table();
  table.set(POD, [{ id: 7n, level: 3 }]);
  table.set(OTHER, [{ id: 9n, level: 0 }]);
  table.set(POD, []);
  expect(maps.writes).toEqual([
    "levels 1000:",
    "levels 1000: 7@3 default/mesh",
    "levels 1001: 7@3 default/mesh",
    "levels 1001: 7@3 default/mesh 9@0 default/vm",
    "levels 1001: 9@0 default/vm",
    "levels 1: 9@0 default/vm",
  ]);
  expect(table.pods).toEqual(["default/vm"]);
});

test("a pod's new cgroup is there before its old one goes", () => {
  const maps = new Maps();
  const table = maps.table();
  table.set(POD, [{ id: 7n, level: 3 }]);
  maps.writes.length = 0;
  table.set(POD, [{ id: 8n, level: 3 }]);
  expect(maps.writes).toEqual(["levels 1000: 7@3 default/mesh 8@3 default/mesh", "levels 1000: 8@3 default/mesh"]);
});

test("the next agent that wants the same writes nothing, and takes away what it does not want", () => {
  const maps = new Maps();
  const before = maps.table();
  before.set(POD, [{ id: 7n, level: 3 }]);
  before.set(OTHER, [{ id: 9n, level: 0 }]);
  maps.writes.length = 0;
  const table = maps.table();
  table.set(POD, [{ id: 7n, level: 3 }]);
  table.set(OTHER, [{ id: 9n, level: 0 }]);
  expect(maps.writes).toEqual([]);
  expect([...table.pods].sort()).toEqual(["default/mesh", "default/vm"]);
  table.set(OTHER, []);
  expect(maps.said()).toBe("levels 1000: 7@3 default/mesh");
});

test("an address that comes to be known is written for explain to find", () => {
  const maps = new Maps();
  const table = maps.table();
  table.set({ ...POD, addresses: [] }, [{ id: 7n, level: 3 }]);
  maps.writes.length = 0;
  table.set(POD, [{ id: 7n, level: 3 }]);
  expect(maps.writes).toHaveLength(1);
});

test("a pod that found no room leaves no level behind", () => {
  const maps = new Maps();
  const table = maps.table();
  maps.full = true;
  for (let i = 0; i < 2; i++) expect(() => table.set(POD, [{ id: 7n, level: 3 }])).toThrow("E2BIG");
  maps.full = false;
  table.set(POD, [{ id: 7n, level: 3 }]);
  expect(maps.said()).toBe("levels 1000: 7@3 default/mesh");
  table.set(POD, []);
  expect(maps.said()).toBe("levels 0:");
});
