// SPDX-License-Identifier: Apache-2.0
// An agent of the lab by its own words: started, and waited for by its log, without the help of another command.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { linkTarget } from "../../src/datapath/ebpf/links.ts";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolanCommand } from "../../src/demo/portolan.ts";
import { openPinnedLink } from "../../src/libbpf/index.ts";
import { GUEST_AGENT, inGuest } from "./guest.ts";

const READY_TIMEOUT_MS = 30_000;

export interface AgentRun {
  /** Default: the uplink. */
  readonly flags?: readonly string[];
  /** Default: all of it that is of use. */
  readonly logging?: readonly string[];
  /** Runs the agent under another command, such as setpriv. */
  readonly under?: readonly string[];
  /** Default: this version. */
  readonly command?: readonly string[] | undefined;
}

/** Starts an agent and does not wait. */
export function spawnAgent(lab: Lab, node: NodeHost, manifests: string, run: AgentRun = {}): LabProcess {
  const { flags = ["--devices", "eth0"], logging = ["--log-level", "debug"], under = [] } = run;
  const { command = inGuest ? GUEST_AGENT.command : portolanCommand() } = run;
  const places = ["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir];
  const told = ["--manifests", manifests, "--node-name", node.name, ...logging];
  return lab.spawn(node, [...under, ...command, "agent", ...told, ...places, ...flags]);
}

/** Starts an agent; resolves once its first state serves. */
export async function readyAgent(...args: Parameters<typeof spawnAgent>): Promise<LabProcess> {
  const agent = spawnAgent(...args);
  await agent.waitForOutput(/ INFO ready/, inGuest ? GUEST_AGENT.timeoutMs : READY_TIMEOUT_MS);
  return agent;
}

/** Names below BPFFS/portolan/links. */
export function pinnedLinks(node: NodeHost): readonly string[] {
  return readdirSync(join(node.bpffs, "portolan/links")).sort();
}

/** The pinned tc links, by the kernel's word on each. */
export function tcxLinks(node: NodeHost): readonly { id: number; ifindex: number | undefined; direction: string }[] {
  const names = pinnedLinks(node).filter((name) => name.startsWith("tcx-"));
  return names.map((name) => {
    using link = openPinnedLink(join(node.bpffs, "portolan/links", name));
    return { id: link.id, ifindex: linkTarget(link).ifindex, direction: name.replace(/.*-/, "") };
  });
}
