// SPDX-License-Identifier: Apache-2.0
// Rules of nftables.

import { type Driver, servedByRules } from "./driver.ts";
import { byNetfilter } from "./netfilter.ts";

export const nftables: Driver = {
  name: "nftables",
  agentFlags: ["--mode", "nftables"],
  services: servedByRules,
  ...byNetfilter,
  localhost: [],
};
