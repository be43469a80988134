// SPDX-License-Identifier: Apache-2.0
// Entry point of `portolan`: every command, registered.

import { agentCommand } from "./agent.ts";
import { cleanupCommand } from "./cleanup.ts";
import { demoCommand } from "./demo.ts";
import { inspectCommands, inspectCommands } from "./inspect-commands.ts";
import { buildProgram, runProgram } from "./run.ts";
import { versionCommand } from "./version.ts";

const program = buildProgram([agentCommand(), demoCommand(), ...inspectCommands(), cleanupCommand(), versionCommand()]);
process.exitCode = await runProgram(program, process.argv.slice(2));
