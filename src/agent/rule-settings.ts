// SPDX-License-Identifier: Apache-2.0
// What of the options rules depend on.

import { existsSync } from "node:fs";
import type { RuleSettings } from "../datapath/rules/writer.ts";
import type { WriterOptions } from "../datapath/rules/writers.ts";
import type { Log } from "./log.ts";
import type { AgentOptions } from "./options.ts";

/** The kernel has it only where it speaks IPv6. */
const IPV6_ADDRESSES = "/proc/net/if_inet6";

export function ruleSettings(options: AgentOptions): RuleSettings {
  const { masqueradeAll, markBits, masqueradeBit = markBits.outbound, localhostNodePorts } = options;
  return {
    families: existsSync(IPV6_ADDRESSES) ? [4, 6] : [4],
    masqueradeAll,
    masqueradeMark: 2 ** masqueradeBit,
    forwardMark: 2 ** markBits.inbound,
    localhostNodePorts,
  };
}

export function writerOptions(options: AgentOptions, log: Log): WriterOptions {
  const { iptablesVariant: variant, ipvsScheduler: scheduler, ipvsStrictArp: strictArp } = options;
  return { variant, scheduler, strictArp, warn: (message) => log.warn(message) };
}
