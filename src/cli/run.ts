// SPDX-License-Identifier: Apache-2.0
// The frame of the command line: runs one command and turns its outcome into cli.md's exit status. Results go to stdout,
// everything else to stderr.

import { Command, CommanderError } from "commander";

export const EXIT_NO = 1;
export const EXIT_USAGE = 2;
export const EXIT_NODE = 3;

/**
 * Builds `portolan` from its commands. A command is a commander Command with its flags and an action; the action imports
 * the room it needs lazily, so that `portolan version` does not pay for the agent.
 */
export function buildProgram(commands: readonly Command[]): Command {
  const program = new Command("portolan")
    .description("The Service datapath of a Kubernetes node on eBPF.")
    .exitOverride()
    .helpCommand(true)
    .showHelpAfterError("(see --help)");
  for (const command of commands) {
    command.copyInheritedSettings(program);
    command.allowExcessArguments(false);
    program.addCommand(command);
  }
  return program;
}

/** Runs one command line (without node and script); returns the exit status and never throws. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    process.stderr.write(`portolan: ${describeError(error)}\n`);
    return exitStatusOf(error);
  }
}

/** Errors that know their status carry `exitStatus`; any other means that the node's state could not be read. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof Error && "exitStatus" in error && typeof error.exitStatus === "number") return error.exitStatus;
  return EXIT_NODE;
}

/** An error with a code speaks for itself; one without is a defect, so its stack is worth having. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error) return error.message;
  return error.stack ?? error.message;
}
