// SPDX-License-Identifier: Apache-2.0
// Every planted fault still names text that is there: `npm run test:mutants` takes hours, and would find out too late.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EDGE_MUTANTS } from "../../mutants/edge.ts";
import { ROW_MUTANTS } from "../../mutants/rows.ts";
import { AFFINITY_PROGRAM_FAULTS } from "../../support/differential/affinity-faults.ts";
import { root } from "./source-files.ts";

const inPrograms = [...EDGE_MUTANTS, ...Object.values(AFFINITY_PROGRAM_FAULTS)].map((fault) => ({
  ...fault,
  file: `bpf/${fault.file}`,
}));

test.each([...ROW_MUTANTS, ...inPrograms].map(({ file, from }) => ({ file, from })))(
  "$file has $from",
  ({ file, from }) => {
    expect(readFileSync(`${root}${file}`, "utf8")).toContain(from);
  },
);
