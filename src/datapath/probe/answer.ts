// SPDX-License-Identifier: Apache-2.0
// What a probe says of one mode, and how it asks the node.

import { findCommand, NetfilterError, runCommand } from "../netfilter/command.ts";

/** The best first. */
export const MODES = ["ebpf", "nftables", "ipvs", "iptables"] as const;
export type Mode = (typeof MODES)[number];

export interface ModeAnswer {
  readonly mode: Mode;
  readonly usable: boolean;
  /** What it was found by, or all that is missing and what to do about it. */
  readonly reason: string;
  /** For programs: paths, versions, names of what is missing. */
  readonly facts: Readonly<Record<string, string | readonly string[]>>;
}

/** The node's commands, or a unit test's. */
export interface Commands {
  /** Its path; undefined: not installed. */
  find(name: string): string | undefined;
  /** What it prints. Rejects with NetfilterError. */
  run(path: string, args: readonly string[], input?: string): Promise<string>;
}

export const nodeCommands: Commands = { find: findCommand, run: runCommand };

/** lacks: sentences; of a usable mode there are none. */
export function answer(
  mode: Mode,
  lacks: readonly string[],
  found: string,
  facts: Readonly<Record<string, string | readonly string[] | undefined>>,
): ModeAnswer {
  const known = Object.entries(facts).filter(
    (fact): fact is [string, string | readonly string[]] => fact[1] !== undefined,
  );
  const usable = lacks.length === 0;
  return { mode, usable, reason: usable ? found : lacks.join("; "), facts: Object.fromEntries(known) };
}

export function notInstalled(command: string, debianPackage: string): string {
  return `${command} is not installed: install the package ${debianPackage}`;
}

/** What the command says when it refuses, undefined if it does not. */
export async function refusal(asked: Promise<unknown>): Promise<string | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (!(error instanceof NetfilterError)) throw error;
    return error.said ?? error.message;
  }
}
