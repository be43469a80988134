// SPDX-License-Identifier: Apache-2.0
// What this process may do, by the text of /proc/self/status. Pure.

const BITS = {
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_SYS_PTRACE: 19n,
  CAP_SYS_ADMIN: 21n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
} as const; // linux/capability.h
export type Capability = keyof typeof BITS;

/** What the eBPF driver serves with. */
export const EBPF_CAPABILITIES = ["CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON"] as const;

/** Those of wanted that CapEff of /proc/self/status does not have. */
export function missingCapabilities(
  procStatus: string,
  wanted: readonly Capability[] = EBPF_CAPABILITIES,
): readonly Capability[] {
  const has = capabilitiesOf(procStatus);
  // Kernels before 5.8 know neither of the two; there, and where it is granted, CAP_SYS_ADMIN stands for both.
  const coverable: ReadonlySet<Capability> = new Set(["CAP_BPF", "CAP_PERFMON"]);
  return wanted.filter((name) => !has(name) && !(coverable.has(name) && has("CAP_SYS_ADMIN")));
}

export function capabilitiesOf(procStatus: string): (name: Capability) => boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(procStatus)?.[1] ?? "0"}`);
  return (name) => ((effective >> BITS[name]) & 1n) === 1n;
}

/** undefined: none is missing. */
export function capabilityLack(missing: readonly Capability[]): string | undefined {
  if (missing.length === 0) return undefined;
  return `this process lacks ${missing.join(", ")}: run it as root or grant these capabilities`;
}
