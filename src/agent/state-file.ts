// SPDX-License-Identifier: Apache-2.0
// STATE_DIR/agent.json: how the last agent was started and what its kernel could do, for people and support archives.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mode } from "../datapath/contract.ts";
import { legacyInUse } from "../datapath/netfilter/iptables.ts";
import type { Features } from "../libbpf/index.ts";
import type { Choice } from "./choose-mode.ts";
import type { Log } from "./log.ts";
import type { AgentOptions } from "./options.ts";
import { lackingRights, type OptionalRight } from "./rights.ts";
import { VERSION } from "./version.ts";

interface StateFile {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601 */
  readonly started: string;
  readonly mode: Mode;
  /** Why this one, for people. */
  readonly reasons: readonly string[];
  readonly options: AgentOptions;
  readonly features: Features;
  /** Optional rights that it has not been granted. */
  readonly lacks: readonly OptionalRight[];
}

export interface StateOfAgent {
  readonly options: AgentOptions;
  readonly choice: Choice;
  readonly features: Features;
}

/** The agent serves without it: a directory that cannot be written is a warning. */
export function writeStateFile({ options, choice, features }: StateOfAgent, log: Log): void {
  const started = new Date(performance.timeOrigin).toISOString();
  const { pid } = process;
  const state: StateFile = { version: VERSION, pid, started, ...choice, options, features, lacks: lacks() };
  const path = join(options.stateDir, "agent.json");
  try {
    mkdirSync(options.stateDir, { recursive: true });
    writeFileSync(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
    renameSync(`${path}.new`, path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, "--state-dir cannot be written, so this agent's settings are not on record there");
  }
}

function lacks(): readonly OptionalRight[] {
  const procStatus = readFileSync("/proc/self/status", "utf8");
  return lackingRights({
    procStatus,
    pid: process.pid,
    legacyIptables: legacyInUse(4, "filter") || legacyInUse(6, "filter"),
  });
}
