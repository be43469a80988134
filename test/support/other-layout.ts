// SPDX-License-Identifier: Apache-2.0
// Portolan as a version of another layout would be: the same sources with struct flow turned over, fields added to it, and
// ABI_VERSION 2; its own codec, BPF objects and bundle. Built below build/, once for each state of the sources.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FLOW = fileURLToPath(new URL("../fixtures/other-layout/flow.h", import.meta.url));
/** What a build is made of. */
const SOURCES = ["bpf", "src", "rolldown.config.js", "package.json", "tsconfig.json"];
/** What it finds in place, as our own does. */
const SHARED = ["node_modules", "build/Release"];

export interface OtherLayout {
  /** ABI_VERSION */
  readonly version: number;
  /** File of the bundle: what portolanCommand() runs of ours. */
  readonly bundle: string;
}

/** Takes some seconds the first time. */
export function buildOtherLayout(): OtherLayout {
  const directory = `${ROOT}/build/other-layout-${sourcesHash()}`;
  if (!existsSync(directory)) build(directory);
  return { version: 2, bundle: `${directory}/dist/portolan.js` };
}

function build(directory: string): void {
  const work = `${directory}-${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(`${work}/build`, { recursive: true });
  for (const name of SOURCES) cpSync(`${ROOT}/${name}`, `${work}/${name}`, { recursive: true });
  for (const name of SHARED) symlinkSync(`${ROOT}/${name}`, `${work}/${name}`);
  replaceOnce(`${work}/bpf/abi.h`, "ABI_VERSION = 1", "ABI_VERSION = 2");
  replaceOnce(`${work}/bpf/abi_flows.h`, /^struct flow \{[^}]*\};\n/m, readFileSync(FLOW, "utf8"));
  replaceOnce(`${work}/bpf/abi_flows.h`, "F(epoch)", "F(epoch) F(first_new) F(second_new) F(third_new)");
  const run = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { cwd: work, stdio: ["ignore", "pipe", "pipe"] });
  run("bash", "bpf/build.sh");
  run("node_modules/.bin/rolldown", "-c", "rolldown.config.js", "--logLevel", "warn");
  renameSync(work, directory);
}

/** Throws when it is not there any more, or there twice. */
function replaceOnce(file: string, from: string | RegExp, to: string): void {
  const text = readFileSync(file, "utf8");
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${from} ${parts.length - 1} times, expected once`);
  writeFileSync(file, parts.join(to));
}

function sourcesHash(): string {
  const files = execFileSync("find", [...SOURCES.map((name) => `${ROOT}/${name}`), FLOW, "-type", "f"], {
    encoding: "utf8",
  });
  const hash = createHash("sha256");
  for (const file of files.trim().split("\n").sort()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex").slice(0, 12);
}
