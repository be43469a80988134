// SPDX-License-Identifier: Apache-2.0
// Equality of plain data.

import { expect, test } from "vitest";
import { sameValue } from "../../../src/model/same-value.ts";

test.each<[unknown, unknown, boolean]>([
  [1, 1, true],
  [1, "1", false],
  [undefined, null, false],
  [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [[1, 2], [1, 2, 3], false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [{}, [], false],
  [{}, null, false],
])("%j and %j: %s", (a, b, same) => {
  expect(sameValue(a, b)).toBe(same);
});
