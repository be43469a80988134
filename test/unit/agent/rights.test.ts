// SPDX-License-Identifier: Apache-2.0
// What the agent may do, by /proc/self/status.
import { expect, test } from "vitest";
import { lackingRights, missingCapabilities } from "../../../src/agent/rights.ts";

test("missing capabilities are named", () => {
  expect(missingCapabilities("Name:\tnode\nCapEff:\t0000000000000000\n")).toEqual([
    "CAP_NET_ADMIN",
    "CAP_BPF",
    "CAP_PERFMON",
  ]);
  // NET_ADMIN (12), PERFMON (38), BPF (39)
  expect(missingCapabilities("CapEff:\t000000c000001000\n")).toEqual([]);
});

test("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON", () => {
  expect(missingCapabilities("CapEff:\t0000000000200000\n")).toEqual(["CAP_NET_ADMIN"]);
});

test("optional rights that are not granted are named, and one of them only where it is of use", () => {
  const lacking = (capEff: string, pid: number, legacyIptables: boolean) =>
    lackingRights({ procStatus: `CapEff:\t${capEff}\n`, pid, legacyIptables });
  const serving = "000000c000001000";
  expect(lacking(serving, 1, true)).toEqual(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "hostPID", "CAP_NET_RAW"]);
  expect(lacking(serving, 4711, false)).toEqual(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]);
  expect(lacking("000000c000283000", 4711, true)).toEqual([]);
});
