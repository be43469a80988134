// SPDX-License-Identifier: Apache-2.0
// The C programs with a fault planted: a test that does not notice one shows nothing.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FLAGS = ["-g", "-O2", "-target", "bpf", "-mcpu=v3"];

/** What stands in a file of bpf/, and what to write instead. */
export interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const CHANGED = ["tc", "sweep", "explain", "xdp"];

/**
 * Builds objects, by default tc, sweep, explain and xdp, from a changed copy of bpf/, beside the other objects. Their directory is gone when
 * disposed. Throws when the text to change is not there any more.
 */
export function buildMutant(
  { file, from, to }: Mutation,
  objects: readonly string[] = CHANGED,
): Disposable & { readonly directory: string } {
  const directory = mkdtempSync("/tmp/pt-mutant-");
  const sources = `${directory}/bpf`;
  cpSync(`${ROOT}/bpf`, sources, { recursive: true });
  const text = readFileSync(`${sources}/${file}`, "utf8");
  if (!text.includes(from)) throw new Error(`bpf/${file} has no ${JSON.stringify(from)} any more: name what it has`);
  writeFileSync(`${sources}/${file}`, text.replace(from, to));
  cpSync(`${ROOT}/build/bpf`, `${directory}/objects`, { recursive: true });
  const machine = execFileSync("uname", ["-m"], { encoding: "utf8" }).trim();
  const includes = [`-D__TARGET_ARCH_${machine === "aarch64" ? "arm64" : "x86"}`, "-idirafter"];
  for (const name of objects) {
    const output = `${directory}/objects/${name}.bpf.o`;
    const command = [...FLAGS, ...includes, `/usr/include/${machine}-linux-gnu`, "-c", `${sources}/${name}.bpf.c`];
    execFileSync(process.env.CLANG ?? "clang-19", [...command, "-o", output], { stdio: "pipe" });
  }
  return { directory: `${directory}/objects`, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

/** The same; while it is not disposed this process loads its objects. */
export function useMutant(mutation: Mutation, objects: readonly string[] = CHANGED): Disposable {
  const built = buildMutant(mutation, objects);
  const before = process.env.PORTOLAN_BPF_DIR;
  process.env.PORTOLAN_BPF_DIR = built.directory;
  return {
    [Symbol.dispose](): void {
      if (before === undefined) delete process.env.PORTOLAN_BPF_DIR;
      else process.env.PORTOLAN_BPF_DIR = before;
      built[Symbol.dispose]();
    },
  };
}
