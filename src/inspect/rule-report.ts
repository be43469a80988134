// SPDX-License-Identifier: Apache-2.0
// What an agent that serves by rules says it has in force.

import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { CompiledService } from "../compile/state.ts";

/** Where it is asked; the file is there while the agent runs. */
export function reportSocket(stateDir: string): string {
  return join(stateDir, "agent.sock");
}

/** Rejects with ENOENT or ECONNREFUSED where no such agent runs. */
export async function readReport(stateDir: string): Promise<readonly CompiledService[]> {
  const body = await new Promise<string>((resolve, reject) => {
    const asked = request({ socketPath: reportSocket(stateDir), path: "/services" }, (answer) => {
      text(answer).then(resolve, reject);
    });
    asked.on("error", reject);
    asked.end();
  });
  return JSON.parse(body);
}
