// SPDX-License-Identifier: Apache-2.0
// What `status` says: the agent, its state in the kernel, the hooks by device, how full the maps are.

import { readdirSync } from "node:fs";
import type { DetectLocalMode, Mode } from "../datapath/contract.ts";
import { AgentConfig, deviceFlagsNames } from "../datapath/ebpf/abi.gen.ts";
import { detectLocalMode } from "../datapath/ebpf/client-kinds.ts";
import type { Pins } from "../datapath/ebpf/pins.ts";
import type { DatapathState, DeviceState, MapFill } from "../datapath/ebpf/state-types.ts";
import type { LinkInfo } from "../libbpf/types.ts";
import { holdsLock } from "./agent-process.ts";
import type { RuleReport } from "./rule-report.ts";
import { type AgentSettings, readServingMode, readSettings, type ServingMode } from "./settings.ts";

/** The stable JSON of `status`. Times are ISO 8601, UTC. */
export interface Status {
  readonly mode: Mode;
  /** Why this mode, a sentence each; empty: by the word of no agent's record. */
  readonly reasons: readonly string[];
  readonly node: string | null;
  /** The first complete state is in the kernel. */
  readonly synced: boolean;
  readonly lastSync: string | null;
  readonly agent: {
    readonly running: boolean;
    readonly pid: number;
    readonly version: string;
    readonly started: string;
    /** As STATE_DIR/agent.json has them; null when that is another agent's. */
    readonly settings: AgentSettings | null;
  } | null;
  readonly masqueradeAll: boolean;
  /** How local pods are told from other clients on the wire; null before the first start. */
  readonly detectLocalMode: DetectLocalMode | null;
  readonly services: number;
  readonly endpoints: number;
  /** Objects of which something cannot be used, by the agent's word; its log says what. */
  readonly problems: number;
  /** Socket hooks that are attached: connect4, sendmsg6, ... */
  readonly sockets: readonly string[];
  /** Pods whose sockets are not balanced; by: "cgroup" or "netns". */
  readonly unbalancedPods: readonly { readonly pod: string; readonly by: string }[];
  readonly devices: readonly DeviceStatus[];
  readonly maps: readonly MapFill[];
  /** Over all reasons. */
  readonly drops: number;
  readonly pins: string;
}

export interface DeviceStatus {
  readonly device: string;
  readonly ifindex: number;
  /** uplink, pod, bridge, bridge_port, l3, overlay */
  readonly roles: readonly string[];
  /** xdp; ingress, egress: those pinned as TCX links; without these where clsact filters are used */
  readonly hooks: readonly string[];
}

/** links: of the node's network namespace; a device that is not among them goes by its index. */
export function readStatus(state: DatapathState, pins: Pins, stateDir: string, links: readonly LinkInfo[]): Status {
  const agent = state.agent();
  const pinned = new Set(readdirSync(pins.links));
  const services = state.services();
  return {
    mode: "ebpf",
    reasons: readServingMode(stateDir)?.reasons ?? [],
    node: agent?.nodeName || null,
    synced: agent?.synced === 1,
    lastSync: agent && agent.lastSyncMs > 0n ? isoTime(agent.lastSyncMs) : null,
    agent: agent
      ? {
          running: holdsLock(agent.pid, pins.root),
          pid: agent.pid,
          version: agent.version,
          started: isoTime(agent.startedMs),
          settings: readSettings(stateDir, agent.pid),
        }
      : null,
    masqueradeAll: agent ? (agent.config & AgentConfig.AGENT_MASQUERADE_ALL) !== 0 : false,
    detectLocalMode: agent ? detectLocalMode(agent.detectLocal) : null,
    services: services.length,
    endpoints: state.backends().length,
    problems: agent?.problems ?? 0,
    sockets: socketHooks(pinned),
    unbalancedPods: unbalancedPods(state),
    devices: state.devices().map((device) => deviceStatus(device, links, pinned)),
    maps: state.fill(),
    drops: state.drops().reduce((sum, { count }) => sum + Number(count), 0),
    pins: pins.version,
  };
}

/** Where rules serve: no hooks, no maps, and nothing is counted. */
export function ruleStatus(serving: ServingMode, report: RuleReport | undefined, stateDir: string): Status {
  const { mode, reasons, nodeName: node, pid, version, started } = serving;
  const services = report?.services ?? [];
  const endpoints = services.flatMap(({ cluster, local, protocol }) =>
    [...cluster, ...local].map(({ address, port }) => [address, port, protocol].join(" ")),
  );
  return {
    ...{ mode, reasons, node, synced: typeof report?.lastSync === "string", lastSync: report?.lastSync ?? null },
    agent: { running: report !== undefined, pid, version, started, settings: readSettings(stateDir, pid) },
    masqueradeAll: report?.masqueradeAll ?? false,
    detectLocalMode: report?.detectLocalMode ?? null,
    services: services.length,
    endpoints: new Set(endpoints).size,
    problems: report?.problems ?? 0,
    ...{ sockets: [], unbalancedPods: [], devices: [], maps: [], drops: 0, pins: "" },
  };
}

/** Each once: a pod may be told by several network namespaces. */
function unbalancedPods(state: DatapathState): Status["unbalancedPods"] {
  const by = new Map(state.optedOut().map((pod) => [`${pod.namespace}/${pod.name}`, pod.by]));
  return [...by].map(([pod, how]) => ({ pod, by: how })).sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

/** Of these links, by the names of their pins. */
export function socketHooks(links: ReadonlySet<string>): readonly string[] {
  return [...links].flatMap((name) => /^cgroup-(\w+)$/.exec(name)?.[1] ?? []).sort();
}

/** Likewise, those of a device. */
export function deviceHooks(ifindex: number, links: ReadonlySet<string>): readonly string[] {
  const wire = ["ingress", "egress"].filter((direction) => links.has(`tcx-${ifindex}-${direction}`));
  return links.has(`xdp-${ifindex}`) ? ["xdp", ...wire] : wire;
}

function deviceStatus(device: DeviceState, links: readonly LinkInfo[], pinned: ReadonlySet<string>): DeviceStatus {
  const { ifindex, flags } = device;
  return {
    device: links.find((link) => link.ifindex === ifindex)?.name ?? `interface ${ifindex}`,
    ifindex,
    roles: Object.entries(deviceFlagsNames).flatMap(([flag, name]) => (flags & Number(flag) ? [name] : [])),
    hooks: deviceHooks(ifindex, pinned),
  };
}

function isoTime(unixMs: bigint): string {
  return new Date(Number(unixMs)).toISOString();
}
