// SPDX-License-Identifier: Apache-2.0
// Errors that end a command, with the exit status that cli.md gives them. Messages name the thing and what to do.

import type { Mode } from "../datapath/contract.ts";

/** The command line is wrong: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "PORTOLAN_USAGE";
  readonly exitStatus = 2;
}

/** A mode that looked usable could not begin, and has changed nothing: another may serve. Exit status 3 where none is to. */
export class ModeError extends Error {
  override readonly name = "ModeError";
  readonly code = "PORTOLAN_MODE";
  readonly exitStatus = 3;
  readonly mode: Mode;

  constructor(mode: Mode, message: string, options: ErrorOptions) {
    super(message, options);
    this.mode = mode;
  }
}

/** The node or its state cannot be read or used: exit status 3. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code = "PORTOLAN_NODE";
  readonly exitStatus = 3;
}
