// SPDX-License-Identifier: Apache-2.0
// detectLocalMode from what a user gives: behaviour rows 35 and 38.

import { expect, test } from "vitest";
import { UsageError } from "../../../src/agent/errors.ts";
import {
  firstOfEach,
  isLocalInterface,
  type LocalDetectorChoice,
  localDetector,
} from "../../../src/agent/local-detector.ts";
import { parseCidr } from "../../../src/model/ip.ts";

const NOTHING = {
  mode: undefined,
  clusterCidrs: [],
  bridgeInterface: undefined,
  interfaceNamePrefix: undefined,
} satisfies LocalDetectorChoice;

test("row 38: without any word of it clients are told by their devices", () => {
  expect(localDetector(NOTHING)).toEqual({ mode: "Device" });
});

test("row 38: a cluster CIDR alone means ClusterCIDR, kube-proxy's default", () => {
  expect(localDetector({ ...NOTHING, clusterCidrs: ["10.244.0.0/16", "fd00:10:244::/56"] })).toEqual({
    mode: "ClusterCIDR",
    cidrs: [
      { address: "10.244.0.0", prefixLength: 16 },
      { address: "fd00:10:244::", prefixLength: 56 },
    ],
  });
  expect(localDetector({ ...NOTHING, mode: "Device", clusterCidrs: ["10.244.0.0/16"] })).toEqual({ mode: "Device" });
});

test("row 35: ClusterCIDR without a CIDR is a mode all the same, which knows no pod", () => {
  expect(localDetector({ ...NOTHING, mode: "ClusterCIDR" })).toEqual({ mode: "ClusterCIDR", cidrs: [] });
});

test("row 38: the interface modes compare names", () => {
  const bridge = isLocalInterface(localDetector({ ...NOTHING, mode: "BridgeInterface", bridgeInterface: "cni0" }));
  expect(["cni0", "cni01", "cni"].map((name) => bridge?.(name))).toEqual([true, false, false]);
  const prefix = isLocalInterface(
    localDetector({ ...NOTHING, mode: "InterfaceNamePrefix", interfaceNamePrefix: "cali" }),
  );
  expect(["cali", "cali12", "xcali"].map((name) => prefix?.(name))).toEqual([true, true, false]);
  expect(isLocalInterface(localDetector({ ...NOTHING, mode: "NodeCIDR" }))).toBeUndefined();
});

test.each<[string, Partial<LocalDetectorChoice>, string]>([
  ["a host for a CIDR", { clusterCidrs: ["10.0.0.1"] }, '--cluster-cidr: "10.0.0.1" is no CIDR'],
  [
    "two CIDRs of one family",
    { clusterCidrs: ["10.0.0.0/16", "10.1.0.0/16"] },
    "--cluster-cidr: give one CIDR, or one of each family",
  ],
  [
    "three CIDRs",
    { clusterCidrs: ["10.0.0.0/16", "fd00::/64", "10.1.0.0/16"] },
    "--cluster-cidr: give one CIDR, or one of each family",
  ],
  [
    "a bridge mode without a bridge",
    { mode: "BridgeInterface", bridgeInterface: "" },
    "--detect-local-mode BridgeInterface needs the name of the interface: --pod-bridge-interface, or detectLocal in",
  ],
  [
    "a prefix mode without a prefix",
    { mode: "InterfaceNamePrefix" },
    "--detect-local-mode InterfaceNamePrefix needs the name of the interface: --pod-interface-name-prefix, or detectLocal",
  ],
])("%s is refused by name", (_, choice, message) => {
  expect(() => localDetector({ ...NOTHING, ...choice })).toThrow(UsageError);
  expect(() => localDetector({ ...NOTHING, ...choice })).toThrow(message);
});

test("row 38: of several ranges the first of each family counts", () => {
  const ranges = ["10.244.1.0/24", "10.245.1.0/24", "fd00:1::/64"].flatMap((text) => parseCidr(text) ?? []);
  expect(firstOfEach(ranges)).toEqual({ used: ["10.244.1.0/24", "fd00:1::/64"], missing: [] });
  expect(firstOfEach(ranges.slice(2))).toEqual({ used: ["fd00:1::/64"], missing: [4] });
});
