// SPDX-License-Identifier: Apache-2.0
// What a process may do, by /proc/self/status.
import { expect, test } from "vitest";
import { capabilityLack, missingCapabilities } from "../../../src/datapath/capabilities.ts";

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

test("only what is asked for is missed, and CAP_SYS_ADMIN stands for no other", () => {
  expect(missingCapabilities("CapEff:\t0000000000200000\n", ["CAP_NET_ADMIN", "CAP_NET_RAW"])).toEqual([
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
  ]);
  expect(missingCapabilities("CapEff:\t0000000000001000\n", ["CAP_NET_ADMIN"])).toEqual([]);
  expect(capabilityLack([])).toBeUndefined();
});
