// SPDX-License-Identifier: Apache-2.0
// Runs the node's iptables, in each of the variants that hold rules of this network namespace.

import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Family } from "../../model/ip.ts";

/** iptables waits this long for another process that holds its lock; then it fails. */
const LOCK_WAIT_S = 5;
const TIMEOUT_MS = 20_000;
/** Where root's PATH does not always lead. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** A command of iptables that failed; the message carries what it said. */
export class IptablesError extends Error {
  override readonly name = "IptablesError";
}

/** One family's filter table, in one of the kernel's two places for it (nf_tables, or the tables of old). */
export interface FilterTable {
  /** Which one, as people call it: the path of its command. */
  readonly command: string;
  /** The policies, chains and rules, as `iptables -S` prints them. */
  rules(): Promise<readonly string[]>;
  /** Changes it by lines of iptables-restore, all of them or none; other rules stay. */
  restore(lines: readonly string[]): Promise<void>;
}

class Iptables implements FilterTable {
  /** Absolute; its -restore stands beside it. */
  readonly command: string;

  constructor(command: string) {
    this.command = command;
  }

  async rules(): Promise<readonly string[]> {
    const args = ["-w", String(LOCK_WAIT_S), "-t", "filter", "-S"];
    const { status, stdout, stderr } = await run(this.command, args, "");
    if (status !== 0) throw failure([this.command, ...args], status, stderr);
    return stdout.split("\n").filter((line) => line !== "");
  }

  async restore(lines: readonly string[]): Promise<void> {
    const command = `${this.command}-restore`;
    const args = ["-w", String(LOCK_WAIT_S), "--noflush"];
    const input = ["*filter", ...lines, "COMMIT", ""].join("\n");
    const { status, stderr } = await run(command, args, input);
    if (status !== 0) throw failure([command, ...args, "<", JSON.stringify(input)], status, stderr);
  }
}

/**
 * The tables to write to: that of the nf_tables variant, and that of old where it is in use. None: the package iptables is not
 * there. Their functions throw IptablesError.
 */
export function findFilterTables(family: Family): readonly FilterTable[] {
  const base = family === 4 ? "iptables" : "ip6tables";
  const found: readonly (string | undefined)[] = [
    findCommand(`${base}-nft`),
    legacyFilterInUse(family) ? findCommand(`${base}-legacy`) : undefined,
  ];
  const variants = found.filter((command) => command !== undefined);
  const plain = findCommand(base);
  return (variants.length === 0 && plain !== undefined ? [plain] : variants).map((command) => new Iptables(command));
}

/** The kernel lists the tables that this network namespace has; the file is not there without the old modules. */
export function legacyFilterInUse(family: Family): boolean {
  const path = family === 4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
  return existsSync(path) && readFileSync(path, "utf8").split("\n").includes("filter");
}

function findCommand(name: string): string | undefined {
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

function failure(argv: readonly string[], status: number | null, stderr: string): IptablesError {
  return new IptablesError(`${argv.join(" ")}: ${status === null ? "killed" : `exit ${status}`}: ${stderr.trim()}`);
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
    child.on("error", (cause) => reject(new IptablesError(`${command}: ${cause.message}`, { cause })));
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
