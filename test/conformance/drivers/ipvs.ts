// SPDX-License-Identifier: Apache-2.0
// Virtual servers of IPVS.

import { type Difference, type Driver, servedByRules } from "./driver.ts";
import { byNetfilter } from "./netfilter.ts";

/** IPVS does not ask who comes: with external policy Local endpoints of this node answer pods and the node too, if there are any. */
const LOCAL_ALONE = {
  frontends: ["nodePort", "externalIP", "loadBalancer"],
  expected: {},
  instead: { answers: ["p1b"] },
} as const satisfies Partial<Difference>;

export const ipvs: Driver = {
  name: "ipvs",
  agentFlags: ["--mode", "ipvs"],
  services: servedByRules,
  ...byNetfilter,
  affinityBy: "frontend",
  localhost: [],
  differences: [
    { rows: [34], services: ["spread", "both-policies"], ...LOCAL_ALONE },
    { rows: [17], services: ["all-ending"], ...LOCAL_ALONE },
    { rows: [18], services: ["ending-here"], ...LOCAL_ALONE },
    // What IPVS refuses it drops on its way out.
    {
      rows: [31],
      by: "socket",
      askers: "nodes",
      expected: { answers: "ECONNREFUSED" },
      instead: { datagrams: "EPERM" },
    },
    ...byNetfilter.differences,
  ],
};
