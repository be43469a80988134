// SPDX-License-Identifier: Apache-2.0
// A take-over is tried until it is done, and is over when its agent is.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Log } from "../../../src/agent/log.ts";
import { TakeOver } from "../../../src/agent/take-over.ts";
import type { TakenOver } from "../../../src/datapath/ebpf/takeover.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function listening(): { readonly log: Log; readonly lines: readonly string[] } {
  const lines: string[] = [];
  const note = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  return { log: { error: note("error"), info: note("info") } as unknown as Log, lines };
}

test("it goes on trying, says once what it waits for, and then that it is done", async () => {
  const waits: TakenOver["waitsFor"][] = ["devices", "devices", "room", undefined];
  const { log, lines } = listening();
  const driver = { takeOver: async () => ({ from: 2, records: 5, waitsFor: waits.shift() }) };
  await using takeOver = new TakeOver(driver, log);
  await takeOver.attempt();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lines).toEqual([
    "error not all devices have hooks of ours: the other layout's stay in use until they have",
    "error some flows of the other layout find no room in our tables: they are served, and tried again",
    "info took over from another layout, flows and all",
  ]);
  expect(waits).toEqual([]);
});

test("its end waits for the attempt that is under way, and no other follows", async () => {
  let attempts = 0;
  let finish = (): void => {};
  const driver = {
    takeOver: () => {
      attempts++;
      return new Promise<TakenOver>((resolve) => {
        finish = () => resolve({ from: 2, records: 0, waitsFor: "devices" });
      });
    },
  };
  const takeOver = new TakeOver(driver, listening().log);
  void takeOver.attempt();
  let ended = false;
  const end = takeOver[Symbol.asyncDispose]().then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(5000);
  expect(ended).toBe(false);
  finish();
  await end;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(attempts).toBe(1);
});
