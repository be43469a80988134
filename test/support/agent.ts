// SPDX-License-Identifier: Apache-2.0
// An agent of the lab by its own words: started, and waited for by its log, without the help of another command.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolanCommand } from "../../src/demo/portolan.ts";

const READY_TIMEOUT_MS = 30_000;

/** Starts an agent and does not wait. */
export function spawnAgent(
  lab: Lab,
  node: NodeHost,
  manifests: string,
  flags: readonly string[] = ["--devices", "eth0"],
): LabProcess {
  const places = ["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir];
  const told = ["--manifests", manifests, "--node-name", node.name, "--log-level", "debug"];
  return lab.spawn(node, [...portolanCommand(), "agent", ...told, ...places, ...flags]);
}

/** Starts an agent; resolves once its first state serves. */
export async function readyAgent(...args: Parameters<typeof spawnAgent>): Promise<LabProcess> {
  const agent = spawnAgent(...args);
  await agent.waitForOutput(/ INFO ready/, READY_TIMEOUT_MS);
  return agent;
}

/** Names below BPFFS/portolan/v1/links. */
export function pinnedLinks(node: NodeHost): readonly string[] {
  return readdirSync(join(node.bpffs, "portolan/v1/links")).sort();
}
