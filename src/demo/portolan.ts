// SPDX-License-Identifier: Apache-2.0
// Runs Portolan in a lab: an agent on a node, and the command line against a node's pins.

import { fileURLToPath } from "node:url";
import type { Lab } from "./lab/lab.ts";
import type { NodeHost } from "./lab/plan.ts";
import type { LabProcess } from "./lab/process.ts";
import { inNetns, run } from "./lab/run.ts";

const START_TIMEOUT_MS = 30_000;

/** The checkout or installation that this file runs from: two levels above the source, one above the bundle. */
export function installRoot(): string {
  const up = import.meta.url.endsWith(".ts") ? "../.." : "..";
  return fileURLToPath(new URL(up, import.meta.url)).replace(/\/$/, "");
}

/** How to run `portolan`: the bundle when this is the bundle, else the source by tsx, in one process. */
export function portolanCommand(): readonly string[] {
  const self = fileURLToPath(import.meta.url);
  if (!self.endsWith(".ts")) return [process.execPath, self];
  const root = installRoot();
  return [process.execPath, "--import", `file://${root}/node_modules/tsx/dist/loader.mjs`, `${root}/src/cli/main.ts`];
}

/** How an agent runs, where it matters. */
export interface AgentStart {
  /** Another version than this one. */
  readonly command?: readonly string[];
  /** Beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Until it is ready; an emulated processor takes its time. */
  readonly timeoutMs?: number;
}

/**
 * Starts an agent in the node's namespace and cgroup; resolves once its first state serves traffic.
 * source: the flags that say where it reads, such as ["--manifests", DIR].
 */
export async function startAgent(
  lab: Lab,
  node: NodeHost,
  source: readonly string[],
  flags: readonly string[] = [],
  { command = portolanCommand(), environment = {}, timeoutMs = START_TIMEOUT_MS }: AgentStart = {},
): Promise<LabProcess> {
  const where = ["--node-name", node.name, "--devices", "eth0", "--cgroup-root", node.cgroupRoot, ...locations(node)];
  const agent = lab.spawn(node, [...command, "agent", ...source, ...where, ...flags], { environment });
  await agent.waitForOutput(/INFO ready$/m, timeoutMs);
  return agent;
}

/** Runs a `portolan` command against a node's pins, in its namespace; resolves with stdout, rejects on any status but 0. */
export function portolan(node: NodeHost, args: readonly string[]): Promise<string> {
  return run(inNetns(node.netns, portolanLine(node, args)));
}

/** The command line that portolan() runs inside the namespace. */
export function portolanLine(node: NodeHost, args: readonly string[]): readonly string[] {
  return [...portolanCommand(), ...args, ...locations(node)];
}

function locations(node: NodeHost): readonly string[] {
  return ["--bpffs", node.bpffs, "--state-dir", node.stateDir];
}
