// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of rights that the agent has not been granted: what they are for, and what is done without. Pure.

import type { Check } from "./doctor-types.ts";

interface Purpose {
  readonly rights: readonly string[];
  readonly without: string;
  readonly do: string;
}

const PURPOSES: readonly Purpose[] = [
  {
    rights: ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "hostPID"],
    without: "a UDP socket of a pod that is connected to an endpoint which is no more stays on it until it is closed",
    do: "grant it (closeStaleSockets among the values of the chart); if pods have no such sockets, nothing",
  },
  {
    rights: ["CAP_NET_RAW"],
    without: "rules in the tables of old (iptables-legacy) that drop what is forwarded drop packets of Services too",
    do: "grant it (legacyIptables among the values of the chart), or move those rules to nf_tables",
  },
];

export const RIGHTS: Check = {
  name: "rights",
  look: ({ agent }) => {
    const lacks = agent?.settings?.lacks ?? [];
    return PURPOSES.flatMap(({ rights, without, do: advice }) => {
      const missing = rights.filter((right) => lacks.includes(right));
      if (missing.length === 0) return [];
      return [{ severity: "warning" as const, what: `the agent lacks ${missing.join(", ")}: ${without}`, do: advice }];
    });
  },
};
