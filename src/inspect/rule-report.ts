// SPDX-License-Identifier: Apache-2.0
// What an agent that serves by rules says it has in force: rules hold no names, and nothing is pinned.

import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { CompiledService } from "../compile/state.ts";
import type { DetectLocalMode } from "../datapath/contract.ts";
import type { Surroundings } from "../datapath/rules/writer.ts";
import type { Ip } from "../model/ip.ts";

export interface RuleReport {
  /** When rules were last written, ISO 8601; null: not yet. */
  readonly lastSync: string | null;
  /** Objects of which something cannot be used. */
  readonly problems: number;
  readonly services: readonly CompiledService[];
  /** What rules depend on beside Services. */
  readonly around: Omit<Surroundings, "foreign"> & { readonly foreign: readonly Ip[] };
  /** Names of devices with pods behind them. */
  readonly podDevices: readonly string[];
  readonly detectLocalMode: DetectLocalMode;
  readonly masqueradeAll: boolean;
  /** NodePorts at 127.0.0.1 too, where the mode can. */
  readonly localhostNodePorts: boolean;
  /** Of virtual servers in mode ipvs, unless a Service asks for another. */
  readonly ipvsScheduler: string;
  /** Of the network namespace that the rules are in; text, for it has 64 bits. */
  readonly netnsCookie: string;
}

/** Where it is asked; the file is there while the agent runs. */
export function reportSocket(stateDir: string): string {
  return join(stateDir, "agent.sock");
}

/** Where the same socket says what of the rules is not as it was written. */
export const FAULTS_PATH = "/faults";

/** undefined: no agent that serves by rules runs there. */
export function readReport(stateDir: string): Promise<RuleReport | undefined> {
  return askAgent<RuleReport>(stateDir, "/");
}

/** Likewise: places as RuleWriter.faults() has them; the agent lists all its rules for it. Rejects where it cannot. */
export function readFaults(stateDir: string): Promise<readonly string[] | undefined> {
  return askAgent<readonly string[]>(stateDir, FAULTS_PATH);
}

async function askAgent<Said>(stateDir: string, path: string): Promise<Said | undefined> {
  const answer = await new Promise<{ readonly status: number | undefined; readonly body: string } | undefined>(
    (resolve, reject) => {
      const asked = request({ socketPath: reportSocket(stateDir), path }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
      });
      asked.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(undefined);
        else reject(error);
      });
      asked.end();
    },
  );
  if (!answer) return undefined;
  if (answer.status !== 200) throw new Error(`the agent could not list its rules: ${JSON.parse(answer.body)}`);
  return JSON.parse(answer.body);
}
