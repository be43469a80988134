// SPDX-License-Identifier: Apache-2.0
// Runs the node's ip, of the package iproute2.

import { findCommand, NetfilterError, runCommand } from "./command.ts";

/** What it prints. input: lines of -batch. Rejects with NetfilterError. */
export async function runIp(args: readonly string[], input?: string): Promise<string> {
  const command = findCommand("ip");
  if (command === undefined) throw new NetfilterError("ip is not installed: install the package iproute2");
  return await runCommand(command, args, input);
}
