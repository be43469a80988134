// SPDX-License-Identifier: Apache-2.0
// Around all kernel tests: what they made must be gone when they end. Compares namespaces, cgroups, mounts, BPF links and
// our own processes of before and after. Only where a run has the machine to itself, as in `npm test`: it cannot tell
// its own things from those of another run.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface Inventory {
  readonly namespaces: readonly string[];
  readonly cgroups: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly processes: readonly string[];
}

function inventory(): Inventory {
  return {
    namespaces: lines(execFileSync("ip", ["netns", "list"], { encoding: "utf8" }))
      .map(firstWord)
      .filter(isOurs),
    cgroups: [...mountsOf("cgroup2"), ...mountsOf("cgroup")].flatMap((mount) => readdirSync(mount).filter(isOurs)),
    mounts: mountsOf("bpf").filter((mount) => mount.includes("/pt-")),
    links: lines(execFileSync("bpftool", ["link", "list"], { encoding: "utf8" })).filter((line) => /^\d+:/.test(line)),
    processes: processesOfOurs(),
  };
}

/** Processes that run our programs, by pid and command line. */
function processesOfOurs(): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const ours = /programs\/\w+\.mjs|(main\.ts|portolan\.js) agent|\/portolan\/cluster\//.test(command);
      return ours && readlinkSync(`/proc/${pid}/cwd`) === process.cwd() ? [`${pid} ${command}`] : [];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  });
}

/** A process may end while it is looked at. */
function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOENT", "ESRCH"].includes(String(error.code));
}

function mountsOf(type: string): readonly string[] {
  return lines(readFileSync("/proc/self/mounts", "utf8"))
    .map((line) => line.split(" "))
    .flatMap((fields) => (fields[2] === type && fields[1] !== undefined ? [fields[1]] : []));
}

function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

function firstWord(line: string): string {
  return line.split(" ")[0] ?? line;
}

function isOurs(name: string): boolean {
  return name.startsWith("pt-");
}

/** vitest's globalSetup: what it returns runs after the last test. */
export function setup(): (() => void) | undefined {
  if (process.env.PORTOLAN_CHECK_LEFTOVERS === undefined) return undefined;
  const before = inventory();
  return () => {
    const after = inventory();
    const left = (Object.keys(after) as (keyof Inventory)[]).flatMap((kind) =>
      after[kind].filter((thing) => !before[kind].includes(thing)).map((thing) => `${kind}: ${thing}`),
    );
    if (left.length > 0) {
      process.exitCode = 1;
      throw new Error(`the tests left behind:\n  ${left.join("\n  ")}`);
    }
  };
}
