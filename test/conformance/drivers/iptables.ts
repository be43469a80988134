// SPDX-License-Identifier: Apache-2.0
// Rules of iptables, in both of the kernel's places for them.

import { type Driver, servedByRules } from "./driver.ts";
import { byNetfilter } from "./netfilter.ts";

const iptables = (variant: string): Driver => ({
  name: `iptables-${variant}`,
  agentFlags: ["--mode", "iptables", "--iptables-variant", variant],
  services: servedByRules,
  ...byNetfilter,
  localhost: ["v4"],
});

export const iptablesDrivers: readonly Driver[] = ["nft", "legacy"].map(iptables);
