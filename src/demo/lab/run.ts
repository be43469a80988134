// SPDX-License-Identifier: Apache-2.0
// Runs one short command to its end: what the lab builds itself with (ip, mount, sysctl, iptables).

import { spawn } from "node:child_process";
import { LabError } from "./errors.ts";

/** Resolves with stdout; rejects with the command line, its exit status and what it said on stderr. */
export function run(argv: readonly string[], input = ""): Promise<string> {
  const [command = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (cause) => reject(new LabError(`cannot start ${command}: ${cause.message}`, { cause })));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else
        reject(
          new LabError(`${argv.join(" ")}: exit ${code ?? signal}\n${stderr}${stdout}${input && `input:\n${input}`}`),
        );
    });
    // A command that exits before it has read all of its input breaks the pipe; its exit status tells the story.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Prefixes a command so that it runs in a network namespace; everything else stays as it is. */
export function inNetns(netns: string, argv: readonly string[]): readonly string[] {
  return ["nsenter", `--net=/var/run/netns/${netns}`, ...argv];
}

/** Runs ip(8) lines in one process; stops at the first line that fails. */
export async function ip(netns: string, lines: readonly string[]): Promise<void> {
  await run(inNetns(netns, ["ip", "-batch", "-"]), `${lines.join("\n")}\n`);
}

/** Sets sysctls, each "key=value"; keys may hold dots in device names, so slashes separate. */
export async function sysctl(netns: string, settings: readonly string[]): Promise<void> {
  await run(inNetns(netns, ["sysctl", "-q", "-w", ...settings]));
}
