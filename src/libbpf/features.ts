// SPDX-License-Identifier: Apache-2.0
// What this kernel and this process's capabilities allow, found by doing it on a small scale.

import { readFileSync } from "node:fs";
import { codeOf } from "./errors.ts";
import { addon } from "./native.ts";
import type { Features, Probe } from "./types.ts";

/** Bit numbers of linux/capability.h; CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON. */
const CAPABILITY_BITS = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n, CAP_PERFMON: 38n, CAP_BPF: 39n } as const;
type Capability = keyof typeof CAPABILITY_BITS;

const NET: readonly Capability[] = ["CAP_BPF", "CAP_NET_ADMIN"];

const NEEDS: Readonly<Record<keyof Features, readonly Capability[]>> = {
  tcx: NET,
  cgroupSockAddr: NET,
  setRetval: NET,
  mmapableArrays: ["CAP_BPF"],
  conntrackLookup: NET,
  csumIpv6Flag: NET,
  sockDestroy: ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"],
  sockDiagDestroy: ["CAP_SYS_ADMIN"],
  btf: [],
};

let cached: Features | undefined;

/** Probes at the first call; the answers hold for the life of the process. */
export function probeFeatures(): Features {
  cached ??= {
    tcx: probe("tcx"),
    cgroupSockAddr: probe("cgroupSockAddr"),
    setRetval: probe("setRetval"),
    mmapableArrays: probe("mmapableArrays"),
    conntrackLookup: probe("conntrackLookup"),
    csumIpv6Flag: probe("csumIpv6Flag"),
    sockDestroy: probe("sockDestroy"),
    sockDiagDestroy: probe("sockDiagDestroy"),
    btf: probe("btf"),
  };
  return cached;
}

function probe(name: keyof Features): Probe {
  const { supported, errno, detail } = addon().probe(name);
  if (supported) return { supported, reason: "loaded" };
  const code = codeOf(errno);
  const why = code === "EPERM" ? permissionReason(NEEDS[name], effectiveCapabilities(), detail) : detail;
  return { supported, reason: why === "" ? code : `${code}: ${why}` };
}

/** "needs CAP_BPF and CAP_NET_ADMIN", naming what is missing of effective (a bit set); detail if nothing is. */
export function permissionReason(needed: readonly Capability[], effective: bigint, detail: string): string {
  const has = (name: Capability): boolean => ((effective >> CAPABILITY_BITS[name]) & 1n) === 1n;
  const covered = (name: Capability): boolean =>
    has(name) || (name !== "CAP_NET_ADMIN" && has("CAP_SYS_ADMIN")); /* linux/capability.h: bpf_capable() */
  const missing = needed.filter((name) => !covered(name));
  if (missing.length > 0) return `needs ${missing.join(" and ")}`;
  return detail === "" ? "refused in spite of the capabilities: lockdown, seccomp or a security module" : detail;
}

function effectiveCapabilities(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return BigInt(`0x${line?.[1] ?? "0"}`);
}
