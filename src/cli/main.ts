// SPDX-License-Identifier: Apache-2.0
// Entry point of `portolan`: every command, registered.

import { agentCommand } from "./agent.ts";
import { benchCommand } from "./bench.ts";
import { cleanupCommand } from "./cleanup.ts";
import { demoCommand } from "./demo.ts";
import { inspectCommands } from "./inspect-commands.ts";
import { buildProgram, runProgram } from "./run.ts";
import { sysdumpCommand } from "./sysdump.ts";
import { versionCommand } from "./version.ts";

const commands = [
  agentCommand(),
  ...inspectCommands(),
  sysdumpCommand(),
  demoCommand(),
  benchCommand(),
  cleanupCommand(),
  versionCommand(),
];

// A reader that has seen enough (`portolan flows | head -1`) ends the command; nothing is wrong then.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = await runProgram(buildProgram(commands), process.argv.slice(2));
