// SPDX-License-Identifier: Apache-2.0
// What goes wrong while a lab is built or taken down; the message names the command or the thing and what to do.

export class LabError extends Error {
  override readonly name = "LabError";
  readonly code = "PORTOLAN_LAB";
  /** The machine cannot do it: exit status 3 of the command line. */
  readonly exitStatus = 3;
}
