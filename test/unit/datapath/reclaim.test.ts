// SPDX-License-Identifier: Apache-2.0
// Nothing is freed before an RCU period that began after it was retired.

import { describe, expect, it } from "vitest";
import { Reclaimer } from "../../../src/datapath/ebpf/reclaim.ts";

interface Period {
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

/** Periods end when told. */
function reclaimer(): { subject: Reclaimer; periods: Period[]; log: string[] } {
  const periods: Period[] = [];
  const log: string[] = [];
  const rcuSync = () => new Promise<void>((end, fail) => periods.push({ end, fail }));
  const onError = (error: unknown) => log.push(String(error));
  const subject = new Reclaimer({ rcuSync, onError, onReclaimed: () => log.push("reclaimed") });
  return { subject, periods, log };
}

describe("the reclaimer", () => {
  it("frees nothing of what is retired during a period before the next one ends", async () => {
    const { subject, periods, log } = reclaimer();
    subject.retire(() => log.push("a"));
    subject.start();
    subject.retire(() => log.push("b"));
    subject.start();
    expect(periods).toHaveLength(1);
    const drained = subject.drained();
    periods[0]?.end();
    await Promise.resolve();
    await Promise.resolve();
    expect(log).toEqual(["a", "reclaimed"]);
    expect(subject.pending).toBe(true);
    periods[1]?.end();
    await drained;
    expect(log).toEqual(["a", "reclaimed", "b", "reclaimed"]);
    expect(subject.pending).toBe(false);
  });

  it("starts no period when there is nothing to free", () => {
    const { subject, periods } = reclaimer();
    subject.start();
    expect(periods).toHaveLength(0);
  });

  it("keeps what it could not free for the next period when one fails, and says so", async () => {
    const { subject, periods, log } = reclaimer();
    subject.retire(() => log.push("a"));
    const failed = subject.drained();
    periods[0]?.fail(new Error("EPERM"));
    await failed;
    expect(log).toEqual(["Error: EPERM"]);
    expect(subject.pending).toBe(true);
    const drained = subject.drained();
    periods[1]?.end();
    await drained;
    expect(log).toEqual(["Error: EPERM", "a", "reclaimed"]);
  });

  it("frees the rest when one of them cannot be freed", async () => {
    const { subject, periods, log } = reclaimer();
    subject.retire(() => {
      throw new Error("row 3 is released but was not taken");
    });
    subject.retire(() => log.push("b"));
    const drained = subject.drained();
    periods[0]?.end();
    await drained;
    expect(log).toEqual(["Error: row 3 is released but was not taken", "b", "reclaimed"]);
  });

  it("frees nothing once it is closed", async () => {
    const { subject, periods, log } = reclaimer();
    subject.retire(() => log.push("a"));
    const drained = subject.drained();
    subject.close();
    periods[0]?.end();
    await drained;
    expect(log).toEqual([]);
  });
});
