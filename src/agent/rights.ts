// SPDX-License-Identifier: Apache-2.0
// What the agent's process may do beside serving: what is optional, for one thing each.

import { type Capability, capabilitiesOf } from "../datapath/capabilities.ts";

/** hostPID: it sees the node's processes, not only those of its own pod. */
export type OptionalRight = Capability | "hostPID";

export interface Surroundings {
  /** The text of /proc/self/status. */
  readonly procStatus: string;
  readonly pid: number;
  /** Rules of this network namespace are in the tables of old. */
  readonly legacyIptables: boolean;
}

/** What would be of use here and is not granted. */
export function lackingRights({ procStatus, pid, legacyIptables }: Surroundings): readonly OptionalRight[] {
  const has = capabilitiesOf(procStatus);
  const lacking: OptionalRight[] = (["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"] as const).filter((name) => !has(name));
  if (pid === 1) lacking.push("hostPID"); // the first process of a pid namespace of its own
  if (legacyIptables && !has("CAP_NET_RAW")) lacking.push("CAP_NET_RAW");
  return lacking;
}
