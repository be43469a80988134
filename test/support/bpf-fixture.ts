// SPDX-License-Identifier: Apache-2.0
// BPF programs made for tests: compiles test/fixtures/bpf/NAME.bpf.c.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const INCLUDE = process.arch === "arm64" ? "/usr/include/aarch64-linux-gnu" : "/usr/include/x86_64-linux-gnu";

/** The object's path is in a directory of its own, gone when disposed. */
export function compileFixture(name: string): Disposable & { readonly path: string } {
  const source = fileURLToPath(new URL(`../fixtures/bpf/${name}.bpf.c`, import.meta.url));
  const directory = mkdtempSync("/tmp/pt-fixture-");
  const path = `${directory}/${name}.bpf.o`;
  execFileSync("clang-19", ["-O2", "-g", "-target", "bpf", "-mcpu=v3", `-I${INCLUDE}`, "-c", source, "-o", path]);
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}
