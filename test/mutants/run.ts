// SPDX-License-Identifier: Apache-2.0
// `npm run test:mutants [-- CLAUSE ...]`: does each clause's test fail without the clause? Builds every mutant of the C programs,
// runs its test against it, and is content only when a test fails: one that could not begin has noticed nothing.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildMutant } from "../support/mutant.ts";
import { EDGE_MUTANTS, type Mutant } from "./edge.ts";

/** Of vitest's JSON report, what is looked at. */
interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
}

function runTest(mutant: Mutant, objects: string): Report {
  const report = join(objects, "report.json");
  const only = mutant.only === undefined ? [] : ["-t", mutant.only];
  const args = ["run", "--project", "kernel", mutant.test, ...only, "--bail", "3", "--reporter", "json"];
  const environment = { ...process.env, PORTOLAN_BPF_DIR: objects };
  const { error } = spawnSync("node_modules/.bin/vitest", [...args, "--outputFile", report], {
    env: environment,
    stdio: "ignore",
  });
  if (error) throw error;
  return JSON.parse(readFileSync(report, "utf8"));
}

const clauses = process.argv.slice(2);
const wanted = EDGE_MUTANTS.filter(({ clause }) => clauses.length === 0 || clauses.includes(clause));
if (wanted.length === 0) throw new Error(`no mutant is of ${clauses.join(", ")}`);
let survivors = 0;
for (const mutant of wanted) {
  const begin = performance.now();
  using built = buildMutant(mutant);
  const { numFailedTests, numPassedTests } = runTest(mutant, built.directory);
  const seconds = Math.round((performance.now() - begin) / 1000);
  const noticed = numFailedTests > 0;
  if (!noticed) survivors++;
  const tests = `${numFailedTests} failed, ${numPassedTests} passed`;
  process.stdout.write(
    `${noticed ? "noticed " : "SURVIVED"} ${mutant.clause}: ${mutant.what}: ${mutant.test}: ${tests}, ${seconds} s\n`,
  );
}
process.stdout.write(`${wanted.length - survivors} of ${wanted.length} noticed\n`);
process.exitCode = survivors === 0 ? 0 : 1;
