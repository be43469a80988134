// SPDX-License-Identifier: Apache-2.0
// Errors that end a command, with the exit status that cli.md gives them. Messages name the thing and what to do.

/** The command line is wrong: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "PORTOLAN_USAGE";
  readonly exitStatus = 2;
}

/** The node or its state cannot be read or used: exit status 3. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code = "PORTOLAN_NODE";
  readonly exitStatus = 3;
}
