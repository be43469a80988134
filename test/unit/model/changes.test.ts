// SPDX-License-Identifier: Apache-2.0
// The change tracker: of any run of updates only the difference between its two ends is left.

import { describe, expect, test } from "vitest";
import { ChangeTracker, NO_CHANGES } from "../../../src/model/changes.ts";
import type { Node } from "../../../src/model/node.ts";

const node = (address: string): Node => ({
  kind: "Node",
  name: "n",
  addresses: [address as Node["addresses"][number]],
  podCidrs: [],
  zone: undefined,
  leaving: false,
});
const [a, b, c] = [node("192.0.2.1"), node("192.0.2.2"), node("192.0.2.3")];

describe("updates of one object", () => {
  test.each<[string, (Node | undefined)[], { previous: Node | undefined; current: Node | undefined }[]]>([
    ["one update is a change", [a, b], [{ previous: a, current: b }]],
    ["A→B→C is a change from A to C", [a, b, c], [{ previous: a, current: c }]],
    ["A→B→A is nothing", [a, b, a], []],
    ["A→B→A is nothing for an equal A too", [a, b, node("192.0.2.1")], []],
    ["A→A is nothing", [a, node("192.0.2.1")], []],
    ["new and changed is new", [undefined, a, b], [{ previous: undefined, current: b }]],
    ["new and gone is nothing", [undefined, a, undefined], []],
    ["gone and back the same is nothing", [a, undefined, a], []],
    ["gone and back changed is a change", [a, undefined, b], [{ previous: a, current: b }]],
    ["A→B→A→C is a change from A to C", [a, b, a, c], [{ previous: a, current: c }]],
  ])("%s", (_claim, states, expected) => {
    const tracker = new ChangeTracker();
    states.slice(1).forEach((state, i) => {
      tracker.record("Node//n", states[i], state);
    });
    expect(tracker.empty).toBe(expected.length === 0);
    expect(tracker.take(true).nodes).toEqual(expected);
  });
});

test("what is taken is not told again", () => {
  const tracker = new ChangeTracker();
  tracker.record("Node//n", undefined, a);
  expect(tracker.take(false)).toEqual({
    ...NO_CHANGES,
    synced: false,
    nodes: [{ previous: undefined, current: a }],
  });
  expect(tracker.take(true)).toEqual({ ...NO_CHANGES, synced: true });
});
