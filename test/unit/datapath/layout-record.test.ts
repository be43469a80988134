// SPDX-License-Identifier: Apache-2.0
// What of another layout can be taken over, and where its flows' fields stand.

import { expect, test } from "vitest";
import { flowPlaces, type Layouts } from "../../../src/datapath/ebpf/layout-record.ts";

const OURS: Layouts = {
  flow: { size: 12, fields: { client: [0, "struct ip_addr"], state: [16, "u32"], pad: [20, "u32"] } },
  device: { size: 8, fields: { flags: [0, "u32"] } },
  explanation: { size: 4, fields: { verdict: [0, "u32"] } },
};

test("the same layout needs nothing, whatever the order of its fields", () => {
  const theirs = {
    ...OURS,
    flow: { size: 12, fields: { pad: [20, "u32"], state: [16, "u32"], client: [0, "struct ip_addr"] } },
  };
  expect(flowPlaces(theirs as unknown as Layouts, OURS)).toBeUndefined();
});

test("fields that stand elsewhere are found, new ones are nowhere, padding is nobody's", () => {
  const theirs: Layouts = { ...OURS, flow: { size: 40, fields: { hops: [0, "u32"], client: [8, "struct ip_addr"] } } };
  expect(flowPlaces(theirs, OURS)).toEqual({ client: 8, state: undefined });
});

test("a struct that only one of them has, or that no map holds, is no difference", () => {
  const { device, ...others } = OURS;
  expect(
    flowPlaces({ ...others, explanation: { size: 8, fields: {} }, more: { size: 4, fields: {} } }, OURS),
  ).toBeUndefined();
  expect(device).toBeDefined();
});

test.each([
  [
    "another struct that lies otherwise",
    { device: { size: 16, fields: { flags: [8, "u32"] } } },
    "struct device lies otherwise",
  ],
  [
    "a field of another type",
    { flow: { size: 12, fields: { state: [0, "u16"] } } },
    "struct flow: field state is u16 there and u32 here",
  ],
])("%s cannot be taken over, and is named", (_, change, message) => {
  expect(() => flowPlaces({ ...OURS, ...change } as unknown as Layouts, OURS)).toThrow(message);
});
