// SPDX-License-Identifier: Apache-2.0
// What the agent's process may do: what serving takes, and what is optional, for one thing each.

const BITS = {
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_SYS_PTRACE: 19n,
  CAP_SYS_ADMIN: 21n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
} as const; // linux/capability.h
type Capability = keyof typeof BITS;

/** hostPID: it sees the node's processes, not only those of its own pod. */
export type OptionalRight = Capability | "hostPID";

export interface Surroundings {
  /** The text of /proc/self/status. */
  readonly procStatus: string;
  readonly pid: number;
  /** Rules of this network namespace are in the tables of old. */
  readonly legacyIptables: boolean;
}

/** Names of the capabilities that serving traffic takes and CapEff of /proc/self/status does not have. */
export function missingCapabilities(procStatus: string): readonly Capability[] {
  const has = capabilitiesOf(procStatus);
  // Kernels before 5.8 know neither of the two; there, and where it is granted, CAP_SYS_ADMIN stands for both.
  const covered = (name: Capability): boolean => has(name) || (name !== "CAP_NET_ADMIN" && has("CAP_SYS_ADMIN"));
  return (["CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON"] as const).filter((name) => !covered(name));
}

/** What would be of use here and is not granted. */
export function lackingRights({ procStatus, pid, legacyIptables }: Surroundings): readonly OptionalRight[] {
  const has = capabilitiesOf(procStatus);
  const lacking: OptionalRight[] = (["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"] as const).filter((name) => !has(name));
  if (pid === 1) lacking.push("hostPID"); // the first process of a pid namespace of its own
  if (legacyIptables && !has("CAP_NET_RAW")) lacking.push("CAP_NET_RAW");
  return lacking;
}

function capabilitiesOf(procStatus: string): (name: Capability) => boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(procStatus)?.[1] ?? "0"}`);
  return (name) => ((effective >> BITS[name]) & 1n) === 1n;
}
