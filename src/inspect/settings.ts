// SPDX-License-Identifier: Apache-2.0
// What the agent put on record in STATE_DIR/agent.json: how it was started. For people; the maps are the truth.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { MODES, type Mode } from "../datapath/probe/answer.ts";

const STATE_FILE = v.object({
  pid: v.number(),
  version: v.optional(v.string(), ""),
  started: v.optional(v.string(), ""),
  mode: v.optional(v.picklist(MODES), "ebpf"),
  reasons: v.optional(v.array(v.string()), []),
  options: v.object({
    nodeName: v.optional(v.string()),
    source: v.variant("kind", [
      v.object({ kind: v.literal("manifests"), directory: v.string() }),
      v.object({ kind: v.literal("kubernetes"), kubeconfig: v.optional(v.string()), servers: v.array(v.string()) }),
    ]),
    cgroupRoot: v.optional(v.string()),
    metricsBind: v.optional(v.object({ host: v.string(), port: v.number() })),
    healthzBind: v.optional(v.object({ host: v.string(), port: v.number() })),
  }),
  lacks: v.optional(v.array(v.string()), []),
});

/** The last lines of the agents' log, newest first: files of STATE_DIR, of at most AGENT_LOG_ROOM bytes each. */
export const AGENT_LOG_FILES: readonly [newest: string, older: string] = ["agent.log", "agent.log.1"];
export const AGENT_LOG_ROOM: number = 1 << 20;

export interface ListeningAddress {
  /** To connect to: never a wildcard. */
  readonly host: string;
  readonly port: number;
}

export interface AgentSettings {
  /** Where Services come from, in words: `manifests in /etc/portolan`. */
  readonly source: string;
  /** null: where cgroup2 is mounted. */
  readonly cgroupRoot: string | null;
  /** Optional rights that it has not been granted: CAP_SYS_ADMIN, hostPID, ... */
  readonly lacks: readonly string[];
}

/** What of its options says what it is to serve. */
export interface ServedOptions {
  readonly source:
    | { readonly kind: "manifests"; readonly directory: string }
    | { readonly kind: "kubernetes"; readonly kubeconfig?: string | undefined; readonly servers: readonly string[] };
  readonly nodeName?: string | undefined;
}

/** How the node is served, by the word of the agent that was last started with this directory. */
export interface ServingMode {
  readonly mode: Mode;
  /** Why this mode, a sentence each. */
  readonly reasons: readonly string[];
  readonly pid: number;
  readonly version: string;
  /** ISO 8601 */
  readonly started: string;
  readonly nodeName: string | null;
}

/** undefined: no agent left a record there. */
export function readServingMode(stateDir: string): ServingMode | undefined {
  const file = readStateFile(stateDir);
  if (!file) return undefined;
  const { mode, reasons, pid, version, started, options } = file;
  return { mode, reasons, pid, version, started, nodeName: options.nodeName ?? null };
}

/** Null when there is no such file, or it is another agent's. */
export function readSettings(stateDir: string, pid: number): AgentSettings | null {
  const file = readStateFile(stateDir);
  if (file?.pid !== pid) return null;
  const { source, cgroupRoot = null } = file.options;
  return { source: sourceText(source), cgroupRoot, lacks: file.lacks };
}

/** Of the last agent that was started with this directory; undefined: none was, or it could not write there. */
export function readServedOptions(stateDir: string): ServedOptions | undefined {
  return readStateFile(stateDir)?.options;
}

/** Where the last agent that was started with this directory was to listen; undefined: nowhere, by its own word. */
export function readListening(stateDir: string): {
  readonly metrics: ListeningAddress | undefined;
  readonly healthz: ListeningAddress | undefined;
} {
  const options = readStateFile(stateDir)?.options;
  return { metrics: connectable(options?.metricsBind), healthz: connectable(options?.healthzBind) };
}

function connectable(bind: ListeningAddress | undefined): ListeningAddress | undefined {
  const wildcard = bind?.host === "0.0.0.0" || bind?.host === "::"; // either takes both families
  return bind && { ...bind, host: wildcard ? "127.0.0.1" : bind.host };
}

function readStateFile(stateDir: string): v.InferOutput<typeof STATE_FILE> | undefined {
  const text = readIfThere(join(stateDir, "agent.json"));
  const parsed = text === undefined ? undefined : v.safeParse(v.pipe(v.string(), v.parseJson(), STATE_FILE), text);
  return parsed?.success ? parsed.output : undefined;
}

function sourceText(source: ServedOptions["source"]): string {
  if (source.kind === "manifests") return `manifests in ${source.directory}`;
  const server = source.servers.length > 0 ? `API server ${source.servers.join(", ")}` : "API server";
  return `${server} by ${source.kubeconfig ?? "the pod's service account"}`;
}

/** The text of a file, undefined when it is not there or not ours to read. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
