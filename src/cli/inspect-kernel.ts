// SPDX-License-Identifier: Apache-2.0
// What serves a node, to be compared with what is wanted: the pinned maps, or what an agent has in force by rules.

import type { FoundState } from "../inspect/difference.ts";
import { readFaults, readReport } from "../inspect/rule-report.ts";
import { ruleServices } from "../inspect/rule-state.ts";
import type { KnownNode } from "./desired-state.ts";
import type { StateOptions } from "./inspect-options.ts";
import { openRules, type RulesInForce } from "./inspect-rules.ts";
import { openInspection } from "./inspect-state.ts";

export interface Kernel extends KnownNode, Disposable {
  /** "": not known. */
  readonly nodeName: string;
  /** As it is now. */
  find(): Promise<FoundState>;
}

/** Throws NodeError where there is nothing to read, or nobody to ask. */
export async function openKernel(options: StateOptions): Promise<Kernel> {
  const rules = await openRules(options, true);
  return rules ? byRules(await rules(), options) : byPrograms(options);
}

function byPrograms(options: StateOptions): Kernel {
  const opened = openInspection(options);
  const { state } = opened;
  const agent = state.agent();
  return {
    nodeName: agent?.nodeName ?? "",
    netnsCookie: agent?.netnsCookie,
    addresses: () => state.nodeAddresses().map(({ address }) => address),
    find: async () => ({ services: state.services(), frontends: state.frontends() }),
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}

function byRules({ serving, report }: RulesInForce, { stateDir }: StateOptions): Kernel {
  return {
    nodeName: serving.nodeName ?? "",
    netnsCookie: BigInt(report.netnsCookie),
    addresses: () => report.around.nodeAddresses.filter(({ elsewhere }) => !elsewhere).map(({ address }) => address),
    find: async () => {
      const [now, faults = []] = await Promise.all([readReport(stateDir), readFaults(stateDir)]);
      const services = ruleServices((now ?? report).services);
      return { services, frontends: services.flatMap(({ frontends }) => frontends), rules: { faults } };
    },
    [Symbol.dispose]: () => undefined,
  };
}
