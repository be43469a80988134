// SPDX-License-Identifier: Apache-2.0
// Compiles a C program of test/support/programs into a directory of the test's own.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Returns the path of the program. flags: of the compiler, besides the usual ones. */
export function compileProgram(name: string, directory: string, flags: readonly string[] = []): string {
  const output = join(directory, name);
  const source = join(import.meta.dirname, "programs", `${name}.c`);
  execFileSync("gcc", ["-O2", "-Wall", "-Werror", "-pthread", ...flags, "-o", output, source], { stdio: "pipe" });
  return output;
}
