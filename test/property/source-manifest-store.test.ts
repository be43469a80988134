// SPDX-License-Identifier: Apache-2.0
// However files come, change and go: what the changes add up to is what the files hold, the first by name counting.

import fc from "fast-check";
import { expect, test } from "vitest";
import { objectKey } from "../../src/model/changes.ts";
import type { Ip } from "../../src/model/ip.ts";
import type { Node } from "../../src/model/node.ts";
import { ManifestStore } from "../../src/source/manifest-store.ts";

const node: fc.Arbitrary<Node> = fc.record({
  kind: fc.constant("Node" as const),
  name: fc.constantFrom("a", "b", "c"),
  addresses: fc.constantFrom(["192.0.2.1" as Ip], ["192.0.2.2" as Ip]),
  podCidrs: fc.constant([]),
  zone: fc.constant(undefined),
  leaving: fc.constant(false),
});

const edit = fc.record({
  file: fc.constantFrom("1.yaml", "2.yaml", "3.yaml"),
  nodes: fc.uniqueArray(node, { maxLength: 3, selector: ({ name }) => name }),
  take: fc.boolean(),
});

test("the changes taken so far lead to what the files hold now", () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 20, size: "max" }), (edits) => {
      const store = new ManifestStore();
      const files = new Map<string, readonly Node[]>();
      const told = new Map<string, Node>();
      const take = () => {
        for (const { previous, current } of store.take(true).nodes) {
          const name = current?.name ?? previous?.name ?? "";
          expect(previous).toEqual(told.get(name));
          expect(current).not.toEqual(previous);
          if (current) told.set(name, current);
          else told.delete(name);
        }
      };
      for (const { file, nodes, take: now } of edits) {
        files.set(file, nodes);
        store.replace(file, new Map(nodes.map((object) => [objectKey(object), { object, file, line: 1 }])));
        if (now) take();
      }
      take();
      const expected = new Map<string, Node>();
      for (const file of ["3.yaml", "2.yaml", "1.yaml"])
        for (const one of files.get(file) ?? []) expected.set(one.name, one);
      expect(Object.fromEntries(told)).toEqual(Object.fromEntries(expected));
    }),
    { numRuns: 300 },
  );
}, 30_000);
