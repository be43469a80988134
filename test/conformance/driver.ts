// SPDX-License-Identifier: Apache-2.0
// The driver that the rows are asked of: PORTOLAN_DRIVER names it, ebpf if nothing does. Later drivers run the same files:
// what is theirs stands here as data, and in docs/behaviour.md with its reason.

import { openState } from "../../src/datapath/ebpf/state.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { ServiceRow } from "../../src/inspect/rows.ts";
import { serviceRows } from "../../src/inspect/service-rows.ts";
import { type Cluster, type ClusterOptions, useCluster } from "../support/cluster.ts";
import type { Question } from "./ask.ts";

type Expectation = Pick<Question, "answers" | "source">;

/** Where a driver does not do what the rows say: of such a question it has another answer. */
export interface Difference {
  readonly rows: readonly number[];
  readonly by: Question["by"];
  /** Absent: of both. */
  readonly askers?: "pods" | "nodes";
  /** Absent: of all. */
  readonly frontends?: readonly Question["frontend"][];
  readonly expected: Partial<Expectation>;
  readonly instead: Partial<Expectation>;
}

export interface Driver {
  readonly name: string;
  readonly agentFlags: readonly string[];
  /** What a node serves, as `portolan services` lists it. */
  readonly services: (node: NodeHost) => readonly ServiceRow[];
  readonly differences: readonly Difference[];
}

const DRIVERS: readonly Driver[] = [
  {
    name: "ebpf",
    agentFlags: ["--mode", "ebpf"],
    services: ({ bpffs }) => {
      using state = openState(bpffs);
      return serviceRows(state.services());
    },
    differences: [
      // A balanced socket sends no packet that could be masqueraded: the backend sees the pod itself.
      {
        rows: [25, 26, 27, 36, 39],
        by: "socket",
        askers: "pods",
        expected: { source: "node" },
        instead: { source: "asker" },
      },
      // Where ranges count the socket leaves it to its packets, which are masqueraded; elsewhere it is balanced.
      {
        rows: [44],
        by: "socket",
        askers: "pods",
        frontends: ["externalIP", "nodePort"],
        expected: { source: "node" },
        instead: { source: "asker" },
      },
      // Its hook can refuse a connection, not stay silent.
      { rows: [33], by: "socket", expected: { answers: "TIMEOUT" }, instead: { answers: "EHOSTUNREACH" } },
      {
        rows: [44, 45],
        by: "socket",
        askers: "nodes",
        expected: { answers: "TIMEOUT" },
        instead: { answers: "EACCES" },
      },
    ],
  },
];

/** Throws for a driver that there is not. */
export function driverUnderTest(): Driver {
  const name = process.env.PORTOLAN_DRIVER ?? "ebpf";
  const driver = DRIVERS.find((known) => known.name === name);
  if (driver) return driver;
  throw new Error(`PORTOLAN_DRIVER=${name}: there are ${DRIVERS.map((known) => known.name).join(", ")}`);
}

/** A cluster whose agents run the driver under test. */
export function useDriver(options: ClusterOptions = {}): () => Cluster {
  return useCluster({ ...options, agentFlags: [...driverUnderTest().agentFlags, ...(options.agentFlags ?? [])] });
}

/** The question with what this driver answers: of differences that apply the first counts. */
export function askedOf({ differences }: Driver, asked: Question): Question {
  const askers = /^n\d+$/.test(asked.from) ? "nodes" : "pods";
  const applies = (difference: Difference) =>
    difference.rows.includes(asked.row) &&
    difference.by === asked.by &&
    (difference.askers ?? askers) === askers &&
    (difference.frontends ?? [asked.frontend]).includes(asked.frontend) &&
    (difference.expected.answers ?? asked.answers) === asked.answers &&
    (difference.expected.source ?? asked.source) === asked.source;
  return { ...asked, ...differences.find(applies)?.instead };
}
