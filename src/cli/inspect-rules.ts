// SPDX-License-Identifier: Apache-2.0
// Reads what serves a node in a mode of rules, for a command; where it cannot, says what to do.

import { NodeError } from "../agent/errors.ts";
import type { RuleMode } from "../datapath/rules/writers.ts";
import { type RuleReport, readReport } from "../inspect/rule-report.ts";
import { ruleState } from "../inspect/rule-state.ts";
import { readServingMode, type ServingMode } from "../inspect/settings.ts";
import type { ServedState } from "../inspect/state-rows.ts";
import type { StateOptions } from "./inspect-options.ts";

export interface RulesInForce {
  readonly serving: ServingMode & { readonly mode: RuleMode };
  readonly report: RuleReport;
  readonly state: ServedState;
}

/**
 * undefined: the agent that was last started with this --state-dir serves by programs and maps. Else asks the agent that runs, each
 * time anew, and throws NodeError where none does. answered: the command has an answer in such a mode; else openInspection() says
 * that it has none.
 */
export async function openRules(
  { stateDir }: StateOptions,
  answered: boolean,
): Promise<(() => Promise<RulesInForce>) | undefined> {
  const found = readServingMode(stateDir);
  if (!found || found.mode === "ebpf" || !answered) return undefined;
  const serving = { ...found, mode: found.mode };
  return async () => {
    const report = await readReport(stateDir);
    if (report) return { serving, report, state: ruleState(report.services) };
    throw new NodeError(
      `this node was last served in mode ${serving.mode}, whose rules go on without names: start the agent, or give its --state-dir, to list them`,
    );
  };
}
