// SPDX-License-Identifier: Apache-2.0
// Requests to API servers, counted.

import { expect, test } from "vitest";
import { RequestActivity } from "../../../../src/source/kubernetes/activity.ts";

test("how long answers took is counted up to the bound that holds them, client-go's", () => {
  const requests = new RequestActivity();
  for (const ms of [0, 5, 5.1, 25, 60_000, 60_001]) requests.answered("POST", "[::1]:6443", 201, ms);
  requests.answered("POST", "[::1]:6443", undefined, 1000);
  expect(requests.times).toEqual([
    {
      verb: "POST",
      host: "[::1]:6443",
      counts: [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
      sumSeconds: expect.closeTo(120.0361),
    },
  ]);
});
