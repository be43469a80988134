// SPDX-License-Identifier: Apache-2.0
// Finds and runs the commands of netfilter that this node has.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Listing the rules of ten thousand Services takes iptables several seconds. */
const TIMEOUT_MS = 60_000;
/** Where root's PATH does not always lead. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** A command of netfilter that failed; the message carries what it said. */
export class NetfilterError extends Error {
  override readonly name = "NetfilterError";
  readonly code = "PORTOLAN_NETFILTER";
  /** The command's own words, on one line, or how it ended; undefined: it did not run. */
  readonly said: string | undefined;

  constructor(message: string, options: { readonly said?: string; readonly cause?: unknown } = {}) {
    super(message, options);
    this.said = options.said;
  }
}

/** Its path; undefined where it is not installed. */
export function findCommand(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(":").filter((path) => path !== ""), ...SYSTEM_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // the answer: accessSync has no other way to say no
  }
}

/** What it wrote to stdout. Rejects with NetfilterError unless it exits with 0. */
export async function runCommand(command: string, args: readonly string[], input = ""): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, input);
  if (status === 0) return stdout;
  const told = input === "" ? [] : ["<", JSON.stringify(input.slice(0, 1000))];
  const end = status === null ? "killed" : `exit ${status}`;
  const words = oneLine(stderr);
  const said = words === "" ? end : words;
  throw new NetfilterError(`${[command, ...args, ...told].join(" ")}: ${end}: ${words}`, { said });
}

/** Without the marks that nft puts under what it means, and warnings of iptables about its other variant. */
function oneLine(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => /[^\s^]/.test(line) && !line.startsWith("#"));
  return lines.map((line) => line.trim()).join("; ");
}

interface Ended {
  /** null: killed, by the time limit or from outside. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], timeout: TIMEOUT_MS });
    // First, and pipes may be missing: out of descriptors, Node.js makes none and says so here.
    child.on("error", (cause) => reject(new NetfilterError(`${command}: ${cause.message}`, { cause })));
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("close", (status) => resolve({ status, stdout, stderr }));
    // A command that ends before it has read all of its input breaks the pipe; its exit status tells the story.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
