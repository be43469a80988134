// SPDX-License-Identifier: Apache-2.0
// What a driver is to the rows that are asked of it: how its agents are started, what they serve, and where it differs.

import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { DualAddress, LabOptions, NodeHost } from "../../../src/demo/lab/plan.ts";
import type { ServiceRow } from "../../../src/inspect/rows.ts";
import { readReport } from "../../../src/inspect/rule-report.ts";
import { ruleServices } from "../../../src/inspect/rule-state.ts";
import { serviceRows } from "../../../src/inspect/service-rows.ts";
import type { Question } from "../ask.ts";

type Expectation = Pick<Question, "answers" | "datagrams" | "source">;

/** Where a driver does not do what the rows say: of such a question it has another answer. */
export interface Difference {
  readonly rows: readonly number[];
  /** Absent: of both, as below. */
  readonly by?: Question["by"];
  readonly askers?: "pods" | "nodes";
  /** Absent: of all, as below. */
  readonly services?: readonly string[];
  readonly frontends?: readonly Question["frontend"][];
  readonly expected: Partial<Expectation>;
  readonly instead: Partial<Expectation>;
}

export interface Driver {
  readonly name: string;
  readonly agentFlags: readonly string[];
  /** What a node serves, as `portolan services` lists it. */
  readonly services: (node: NodeHost) => Promise<readonly ServiceRow[]>;
  readonly balancesSockets: boolean;
  /** An endpoint that serves no more (row 57): with their next datagram, or a moment after new ones meet another. */
  readonly datagramsLeave: "at once" | "soon";
  /** A client keeps one endpoint through whichever frontend of a Service, or one for each (row 51). */
  readonly affinityBy: "service" | "frontend";
  /** Over which families NodePorts are served at localhost (row 29). */
  readonly localhost: readonly (keyof DualAddress)[];
  /** Of the nodes that it needs. */
  readonly lab?: Pick<LabOptions, "brNetfilter">;
  /** Before its agents start. */
  readonly prepare?: (lab: Lab) => Promise<void>;
  readonly differences: readonly Difference[];
}

/** Of modes that serve by rules: as the agent says it has written them. */
export async function servedByRules({ stateDir }: NodeHost): Promise<readonly ServiceRow[]> {
  return serviceRows(ruleServices((await readReport(stateDir))?.services ?? []));
}
