// SPDX-License-Identifier: Apache-2.0
// Virtual servers of IPVS.

import { type Driver, servedByRules } from "./driver.ts";
import { byNetfilter } from "./netfilter.ts";

export const ipvs: Driver = {
  name: "ipvs",
  agentFlags: ["--mode", "ipvs"],
  services: servedByRules,
  ...byNetfilter,
  localhost: [],
};
