// SPDX-License-Identifier: Apache-2.0
// The rows of docs/behaviour.md, each switched off in one place, and the test that must notice by a title with that row.
import { AGENT_ROWS } from "./rows-agent.ts";
import { COMPILED_ROWS } from "./rows-compiled.ts";
import { KERNEL_ROWS } from "./rows-kernel.ts";
import { PARTS_OF_ROWS } from "./rows-parts.ts";
import { RULE_ROWS } from "./rows-rules.ts";
import { UNSERVED_ROWS } from "./rows-unserved.ts";

export interface RowMutant {
  readonly row: number;
  readonly what: string;
  /** Relative to the checkout, in src/ or bpf/; what stands in it, once, and what to write instead. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly test: string;
}

export const ROW_MUTANTS: readonly RowMutant[] = [
  ...AGENT_ROWS,
  ...COMPILED_ROWS,
  ...KERNEL_ROWS,
  ...PARTS_OF_ROWS,
  ...RULE_ROWS,
  ...UNSERVED_ROWS,
].sort((a, b) => a.row - b.row);
