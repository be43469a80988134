// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { Backoff, pause } from "../../../../src/source/kubernetes/backoff.ts";

test("waits double from 0.8 to 30 s, and begin anew after two minutes without a failure", () => {
  let nowMs = 0;
  const backoff = new Backoff(
    () => 0,
    () => nowMs,
  );
  expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
  nowMs = 120_000;
  expect(backoff.next()).toBe(30_000);
  nowMs = 240_001;
  expect(backoff.next()).toBe(800);
});

test("chance adds up to as much again", () => {
  const backoff = new Backoff(
    () => 0.5,
    () => 0,
  );
  expect([backoff.next(), backoff.next()]).toEqual([1200, 2400]);
});

test("a lower limit holds before what chance adds", () => {
  const backoff = new Backoff(
    () => 0.5,
    () => 0,
    2000,
  );
  expect([1, 2, 3, 4].map(() => backoff.next())).toEqual([1200, 2400, 3000, 3000]);
});

test("a pause ends at once when all ends, before it or in it", async () => {
  const stop = new AbortController();
  const paused = pause(60_000, stop.signal);
  stop.abort();
  await paused;
  await pause(60_000, stop.signal);
});
