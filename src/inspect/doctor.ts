// SPDX-License-Identifier: Apache-2.0
// `doctor`: the checks, and the node as they see it.

import { readdirSync } from "node:fs";
import { attachedLinks } from "../datapath/ebpf/links.ts";
import type { Pins } from "../datapath/ebpf/pins.ts";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import type { LinkInfo } from "../libbpf/types.ts";
import { AGENT, HOOKS, OBJECTS, STATE } from "./doctor-node.ts";
import { lookAtOthers, PROXIES } from "./doctor-proxies.ts";
import { RIGHTS } from "./doctor-rights.ts";
import { DROPS, MAPS } from "./doctor-room.ts";
import { SOURCE_RANGES } from "./doctor-sources.ts";
import type { Check, Finding, HookedDevice, NodeState } from "./doctor-types.ts";
import { dropRows } from "./flow-rows.ts";
import { deviceHooks, readStatus, socketHooks } from "./status.ts";

/** In the order of their findings. */
export const CHECKS: readonly Check[] = [STATE, AGENT, OBJECTS, HOOKS, RIGHTS, PROXIES, SOURCE_RANGES, MAPS, DROPS];

/** Of a node that no agent has served yet. */
export function examineOthers(others: NodeState["others"]): readonly Finding[] {
  return lookAtOthers(others, []).map((found) => ({ check: PROXIES.name, ...found }));
}

export function examine(node: NodeState): readonly Finding[] {
  return CHECKS.flatMap(({ name, look }) => look(node).map((found) => ({ check: name, ...found })));
}

/** links: lists those of the node's network namespace; undefined in another one. */
export function readNode(
  state: DatapathState,
  pins: Pins,
  stateDir: string,
  links: (() => readonly LinkInfo[]) | undefined,
  others: NodeState["others"],
): NodeState {
  // A device may come or go meanwhile. The map has it before its hooks and after them, so they are there at one end.
  const before = attachedLinks(pins);
  const { synced, agent, problems, devices, maps } = readStatus(state, pins, stateDir, links?.() ?? []);
  const services = state.services();
  const drops = dropRows(state.drops());
  const attached = new Set([...before, ...attachedLinks(pins)]);
  const present = new Set(links?.().map(({ ifindex }) => ifindex));
  const hooked: readonly HookedDevice[] = devices
    .filter(({ ifindex }) => present.has(ifindex))
    .map(({ device, ifindex }) => ({ device, hooks: deviceHooks(ifindex, attached) }));
  return {
    synced,
    agent,
    problems,
    services,
    maps,
    sockets: socketHooks(attached),
    devices: links && usesLinks(pins) ? hooked : undefined,
    drops,
    others,
    pins: pins.version,
  };
}

/** Whether programs hang on devices by TCX links; clsact filters, their like on older kernels, leave no pins. */
function usesLinks(pins: Pins): boolean {
  return readdirSync(pins.links).some((name) => name.startsWith("tcx-"));
}
