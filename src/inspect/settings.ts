// SPDX-License-Identifier: Apache-2.0
// What the agent put on record in STATE_DIR/agent.json: how it was started. For people; the maps are the truth.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

const STATE_FILE = v.object({
  pid: v.number(),
  options: v.object({ manifests: v.string(), cgroupRoot: v.optional(v.string()) }),
});

export interface AgentSettings {
  readonly manifests: string;
  /** null: where cgroup2 is mounted. */
  readonly cgroupRoot: string | null;
}

/** Null when there is no such file, or it is another agent's. */
export function readSettings(stateDir: string, pid: number): AgentSettings | null {
  const text = readIfThere(join(stateDir, "agent.json"));
  const parsed = text === undefined ? undefined : v.safeParse(v.pipe(v.string(), v.parseJson(), STATE_FILE), text);
  if (!parsed?.success || parsed.output.pid !== pid) return null;
  const { manifests, cgroupRoot = null } = parsed.output.options;
  return { manifests, cgroupRoot };
}

/** The text of a file, undefined when it is not there or not ours to read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
