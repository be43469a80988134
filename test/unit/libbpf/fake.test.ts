// SPDX-License-Identifier: Apache-2.0
// The fake answers as the kernel does: the same claims run against the kernel in test/bpf/addon-map.test.ts.

import { expect, test } from "vitest";
import { FakeMap, fakeObject } from "../../../src/libbpf/fake.ts";
import { describeMap } from "../../support/map-claims.ts";

describeMap("FakeMap", (spec) => new FakeMap(spec), 2);

test("an LRU hash evicts its oldest entry instead of being full", () => {
  const map = new FakeMap({ name: "lru", type: 9, keySize: 1, valueSize: 1, maxEntries: 2 });
  for (const n of [1, 2, 3]) map.update(Uint8Array.of(n), Uint8Array.of(n));
  expect([...map.entries()].map(([key]) => key[0])).toEqual([2, 3]);
});

test("a fake object forgets the attachments of unpinned links only", () => {
  using object = fakeObject([], ["ingress"]);
  const program = object.program("ingress") as unknown as { attachments: Set<string> };
  const pinned = object.program("ingress").attachTcx(4, "ingress", true);
  pinned.pin("/pins/link");
  object.program("ingress").attachCgroup("/cg", "connect4")[Symbol.dispose]();
  pinned[Symbol.dispose]();
  expect([...program.attachments]).toEqual(["tcx/ingress of 4"]);
  expect(() => object.map("none")).toThrow("map none: ENOENT");
});
