// SPDX-License-Identifier: Apache-2.0
// What an agent that serves by rules says it has in force, for tests of what is made of it.

import type { CompiledService } from "../../src/compile/state.ts";
import type { RuleReport } from "../../src/inspect/rule-report.ts";
import { cidr, ip } from "./compiled.ts";

/** Of node 192.168.50.1, with eth0 as its way out; nothing is written yet. */
export function ruleReport(services: readonly CompiledService[], more: Partial<RuleReport> = {}): RuleReport {
  return {
    lastSync: null,
    problems: 0,
    services,
    around: {
      nodeAddresses: [
        { address: ip("192.168.50.1"), loopback: false, nodePort: true },
        { address: ip("127.0.0.1"), loopback: true, nodePort: true },
      ],
      serviceRanges: [cidr("10.96.0.0/16")],
      localClients: { by: "otherDevice", names: ["eth0"] },
      foreign: [ip("10.96.9.9")],
      partial: false,
    },
    podDevices: [],
    detectLocalMode: "Device",
    masqueradeAll: false,
    localhostNodePorts: true,
    ipvsScheduler: "wlc",
    netnsCookie: "1",
    ...more,
  };
}
