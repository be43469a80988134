// SPDX-License-Identifier: Apache-2.0
// What the agent may do beside serving, by /proc/self/status.
import { expect, test } from "vitest";
import { lackingRights } from "../../../src/agent/rights.ts";

test("optional rights that are not granted are named, and one of them only where it is of use", () => {
  const lacking = (capEff: string, pid: number, legacyIptables: boolean) =>
    lackingRights({ procStatus: `CapEff:\t${capEff}\n`, pid, legacyIptables });
  const serving = "000000c000001000";
  expect(lacking(serving, 1, true)).toEqual(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "hostPID", "CAP_NET_RAW"]);
  expect(lacking(serving, 4711, false)).toEqual(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]);
  expect(lacking("000000c000283000", 4711, true)).toEqual([]);
});
