// SPDX-License-Identifier: Apache-2.0
// What `doctor` asks about the node itself: its agent and the hooks. Pure.

import { CGROUP_HOOKS } from "../datapath/ebpf/programs.ts";
import type { Check } from "./doctor-types.ts";

const STARTING = "if an agent is just starting, ask again; else start it, its log says what is in its way";

export const STATE: Check = {
  name: "state",
  look: ({ synced, pins }) => {
    if (synced) return [];
    return [
      { severity: "error", what: `the Services are not yet in the kernel, in the maps of ${pins}`, do: STARTING },
    ];
  },
};

export const AGENT: Check = {
  name: "agent",
  look: ({ agent, pins }) => {
    if (!agent || agent.running) return [];
    const what = `the agent of ${pins}, process ${agent.pid} since ${agent.started}, is not running: what it knew is served on`;
    const advice =
      "start it: until then no change of a Service, an endpoint or a device counts, and ended flows keep their room";
    return [{ severity: "warning", what, do: advice }];
  },
};

export const OBJECTS: Check = {
  name: "objects",
  look: ({ problems, agent }) => {
    if (problems === 0) return [];
    const place = agent?.settings ? ` of ${agent.settings.source}` : "";
    const what = `${problems} ${problems === 1 ? "object" : "objects"}${place}, of which something cannot be used or is missing`;
    return [{ severity: "warning", what, do: "the agent's log names each, with its place and field" }];
  },
};

/** An agent attaches them once the state is there, those of sockets last. */
export const HOOKS: Check = {
  name: "hooks",
  look: (node) => (node.synced ? [...missingSocketHooks(node), ...missingDeviceHooks(node)] : []),
};

function missingSocketHooks({ sockets, agent, pins }: Parameters<Check["look"]>[0]): ReturnType<Check["look"]> {
  const missing = CGROUP_HOOKS.filter((hook) => !sockets.includes(hook));
  if (missing.length === 0) return [];
  const root = agent?.settings?.cgroupRoot;
  const which = missing.length === CGROUP_HOOKS.length ? "no socket hook" : `no ${missing.join(" ")}`;
  const what = `${which} on ${root ? `the cgroup ${root}` : "the node's cgroups"}, by the links in ${pins}: local processes reach no Service`;
  return [{ severity: "error", what, do: `${RESTART}; its --cgroup-root must be there for as long as it serves` }];
}

function missingDeviceHooks({ devices }: Parameters<Check["look"]>[0]): ReturnType<Check["look"]> {
  return (devices ?? []).flatMap(({ device, hooks }) => {
    const missing = ["ingress", "egress"].filter((direction) => !hooks.includes(direction));
    if (missing.length === 0) return [];
    const what = `device ${device} without our program at ${missing.join(" and ")}: packets of Services pass it untranslated`;
    return [{ severity: "error" as const, what, do: `${RESTART}; its log says what the kernel refused` }];
  });
}

const RESTART = "start the agent anew, which attaches what is missing";
