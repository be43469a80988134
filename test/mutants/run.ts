// SPDX-License-Identifier: Apache-2.0
// `npm run test:mutants [-- rows | edge | CLAUSE | ROW ...]`: does a test fail without the row of docs/behaviour.md, or
// without the clause of the rule of the edge, that it shows? Plants one fault after the other, runs the test on it, and is
// content only when a test fails that passes without the fault: one that could not begin has noticed nothing.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { buildMutant } from "../support/mutant.ts";
import { rowTitles } from "../support/row-titles.ts";
import { changedCheckout } from "./checkout.ts";
import { EDGE_MUTANTS, type Mutant } from "./edge.ts";
import { ROW_MUTANTS, type RowMutant } from "./rows.ts";

/** Every object that shares headers with another, but for the probes. */
const OBJECTS = ["tc", "sweep", "explain", "cgroup", "leave", "xdp"];

/** Of vitest's JSON report, what is looked at. */
interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
}

interface Trial {
  readonly names: readonly string[];
  readonly what: string;
  readonly test: string;
  /** What of its tests to run, as for vitest's -t. */
  readonly only: string | undefined;
  /** On the fault. */
  readonly run: () => Report;
}

interface Place {
  /** A checkout. */
  readonly root?: string;
  /** Objects of the C programs. */
  readonly objects?: string;
}

function runTest(test: string, only: string | undefined, { root = ".", objects }: Place): Report {
  const directory = mkdtempSync("/tmp/pt-mutant-");
  const report = `${directory}/report.json`;
  const filter = only === undefined ? [] : ["-t", only];
  const args = ["run", test, ...filter, "--bail", "3", "--reporter", "json", "--outputFile", report];
  const environment = objects === undefined ? process.env : { ...process.env, PORTOLAN_BPF_DIR: objects };
  try {
    const { error } = spawnSync("node_modules/.bin/vitest", args, { cwd: root, env: environment, stdio: "ignore" });
    if (error) throw error;
    return JSON.parse(readFileSync(report, "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function edgeTrial(mutant: Mutant): Trial {
  const run = (): Report => {
    using built = buildMutant(mutant);
    return runTest(mutant.test, mutant.only, { objects: built.directory });
  };
  const { clause, what, test, only } = mutant;
  return { names: ["edge", clause], what: `${clause}: ${what}`, test, only, run };
}

/** Only tests whose titles carry the row are run. */
function rowTrial({ row, what, test, ...mutation }: RowMutant): Trial {
  const words = rowTitles(readFileSync(test, "utf8")).filter(({ rows }) => rows.includes(row));
  if (words.length === 0) throw new Error(`${test} has no title with row ${row}`);
  const only = words.map((title) => title.words).join("|");
  const run = (): Report => {
    if (!mutation.file.startsWith("bpf/")) {
      using checkout = changedCheckout(mutation);
      return runTest(test, only, { root: checkout.root });
    }
    using built = buildMutant({ ...mutation, file: mutation.file.replace("bpf/", "") }, OBJECTS);
    return runTest(test, only, { objects: built.directory });
  };
  return { names: ["rows", String(row)], what: `row ${row}: ${what}`, test, only, run };
}

const sound = new Map<string, boolean>();

/** Whether the tests pass without a fault, run by themselves. */
function isSound({ test, only }: Pick<Trial, "test" | "only">): boolean {
  const key = `${test} ${only}`;
  const known = sound.get(key);
  if (known !== undefined) return known;
  const { numFailedTests, numPassedTests } = runTest(test, only, {});
  sound.set(key, numFailedTests === 0 && numPassedTests > 0);
  return isSound({ test, only });
}

const asked = process.argv.slice(2);
const trials = [...EDGE_MUTANTS.map(edgeTrial), ...ROW_MUTANTS.map(rowTrial)].filter(
  ({ names }) => asked.length === 0 || names.some((name) => asked.includes(name)),
);
if (trials.length === 0) throw new Error(`no mutant is of ${asked.join(", ")}`);
let survivors = 0;
for (const trial of trials) {
  const { what, test, run } = trial;
  const begin = performance.now();
  const { numFailedTests, numPassedTests } = run();
  const noticed = numFailedTests > 0 && isSound(trial);
  const seconds = Math.round((performance.now() - begin) / 1000);
  if (!noticed) survivors++;
  const tests = `${numFailedTests} failed, ${numPassedTests} passed`;
  process.stdout.write(`${noticed ? "noticed " : "SURVIVED"} ${what}: ${test}: ${tests}, ${seconds} s\n`);
}
process.stdout.write(`${trials.length - survivors} of ${trials.length} noticed\n`);
process.exitCode = survivors === 0 ? 0 : 1;
