// SPDX-License-Identifier: Apache-2.0
// Compiles a C program of test/support/programs into a directory of the test's own.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Returns the path of the program. */
export function compileProgram(name: string, directory: string): string {
  const output = join(directory, name);
  const source = join(import.meta.dirname, "programs", `${name}.c`);
  execFileSync("gcc", ["-O2", "-Wall", "-Werror", "-pthread", "-o", output, source], { stdio: "pipe" });
  return output;
}
