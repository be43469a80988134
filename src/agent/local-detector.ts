// SPDX-License-Identifier: Apache-2.0
// Who is a local pod on the wire (behaviour rows 35 and 38): kube-proxy's detectLocalMode, or Portolan's own. Pure.

import type { DetectLocalMode } from "../datapath/contract.ts";
import { type Cidr, type Family, familyOf, parseCidr } from "../model/ip.ts";
import { UsageError } from "./errors.ts";

export const DETECT_LOCAL_MODES: readonly DetectLocalMode[] = [
  "Device",
  "ClusterCIDR",
  "NodeCIDR",
  "BridgeInterface",
  "InterfaceNamePrefix",
];

export type LocalDetector =
  /** By what lies behind the device; by the own Node's podCIDRs. */
  | { readonly mode: "Device" | "NodeCIDR" }
  | { readonly mode: "ClusterCIDR"; readonly cidrs: readonly Cidr[] }
  /** Name of the interface, or how it begins. */
  | { readonly mode: "BridgeInterface" | "InterfaceNamePrefix"; readonly interface: string };

/** As flags or a configuration file give it. */
export interface LocalDetectorChoice {
  /** undefined: ClusterCIDR if there is one, as kube-proxy has it, else Device. */
  readonly mode: DetectLocalMode | undefined;
  readonly clusterCidrs: readonly string[];
  readonly bridgeInterface: string | undefined;
  readonly interfaceNamePrefix: string | undefined;
}

/** Throws UsageError for what cannot be. */
export function localDetector(choice: LocalDetectorChoice): LocalDetector {
  const cidrs = parseClusterCidrs(choice.clusterCidrs);
  const mode = choice.mode ?? (cidrs.length > 0 ? "ClusterCIDR" : "Device");
  switch (mode) {
    case "Device":
    case "NodeCIDR":
      return { mode };
    case "ClusterCIDR":
      return { mode, cidrs };
    case "BridgeInterface":
      return { mode, interface: choice.bridgeInterface || missing(mode, "--pod-bridge-interface") };
    case "InterfaceNamePrefix":
      return { mode, interface: choice.interfaceNamePrefix || missing(mode, "--pod-interface-name-prefix") };
  }
}

function missing(mode: DetectLocalMode, flag: string): never {
  throw new UsageError(
    `--detect-local-mode ${mode} needs the name of the interface: ${flag}, or detectLocal in the --config file`,
  );
}

/** One CIDR, or one of each family. Throws UsageError. */
function parseClusterCidrs(items: readonly string[]): readonly Cidr[] {
  const problem = clusterCidrProblem(items);
  if (problem !== undefined) throw new UsageError(`--cluster-cidr: ${problem}`);
  return items.flatMap((item) => parseCidr(item) ?? []);
}

/** What is wrong with a cluster CIDR or a pair of them, in words; undefined: nothing. */
export function clusterCidrProblem(items: readonly string[]): string | undefined {
  const families: Family[] = [];
  for (const item of items) {
    const cidr = parseCidr(item);
    if (!cidr) return `${JSON.stringify(item)} is no CIDR: give one such as 10.244.0.0/16`;
    families.push(familyOf(cidr.address));
  }
  if (families.length < 2 || (families.length === 2 && families[0] !== families[1])) return undefined;
  return "give one CIDR, or one of each family";
}

/** Whether clients that come in by this interface are local pods; undefined where the mode looks at no names. */
export function isLocalInterface(detector: LocalDetector): ((name: string) => boolean) | undefined {
  if (detector.mode === "BridgeInterface") return (name) => name === detector.interface;
  if (detector.mode === "InterfaceNamePrefix") return (name) => name.startsWith(detector.interface);
  return undefined;
}

/** The ranges that count, the first of each family, as text, and the families without one. */
export function firstOfEach(ranges: readonly Cidr[]): {
  readonly used: readonly string[];
  readonly missing: readonly Family[];
} {
  const used: string[] = [];
  const missingFamilies: Family[] = [];
  for (const family of [4, 6] as const) {
    const first = ranges.find(({ address }) => familyOf(address) === family);
    if (first) used.push(`${first.address}/${first.prefixLength}`);
    else missingFamilies.push(family);
  }
  return { used, missing: missingFamilies };
}
