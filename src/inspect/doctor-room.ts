// SPDX-License-Identifier: Apache-2.0
// What `doctor` asks about room: maps that fill up, and packets dropped for want of something. Pure.

import { SIZE_FLAGS } from "../datapath/ebpf/errors.ts";
import type { Check } from "./doctor-types.ts";

const WARN_ABOVE = 0.8;
const ERROR_ABOVE = 0.95;
const AFTER_CLEANUP =
  "and run `portolan cleanup` before, for a map that is there keeps its size (connections on the wire break with it)";

export const MAPS: Check = {
  name: "maps",
  look: ({ maps, agent, pins }) =>
    maps.flatMap(({ map, used, size, evicts }) => {
      const fill = used / size;
      if (evicts || fill <= WARN_ABOVE) return [];
      const severity = fill > ERROR_ABOVE ? ("error" as const) : ("warning" as const);
      const what = `map ${map} of ${pins} is ${Math.floor(fill * 100)} % full: ${used} of ${size} entries`;
      const unswept = map === "flows" && agent?.running === false;
      return [{ severity, what, do: unswept ? START_AGENT : largerMap(map) }];
    }),
};

const START_AGENT = "start the agent: ended flows are swept only while it runs";

function largerMap(map: string): string {
  const flag = SIZE_FLAGS[map];
  if (flag === undefined) return "no flag of the agent sizes it: serve less by it, and tell the makers of Portolan";
  return `start the agent with a larger ${flag}, ${AFTER_CLEANUP}`;
}

/** Drops that say that something ran out; the others are answers, or the sender's fault. */
const CAPACITY: Readonly<Record<string, string>> = {
  flow_table_full: largerMap("flows"),
  snat_exhausted:
    "give its Services more endpoints, or the agent a wider --snat-port-range; `portolan flows` shows who holds the ports",
  remap_exhausted: "give its Services more endpoints; `portolan flows` shows which client holds the ports",
  stale_service:
    "the agent's log says what found no room; if nothing did, start it anew: it puts right what the maps have wrong",
  no_snat_address: "give the devices that lead to endpoints an address of each family; `portolan status` names devices",
};

export const DROPS: Check = {
  name: "drops",
  look: ({ drops, pins }) =>
    drops.flatMap(({ reason, count, explanation }) => {
      const advice = CAPACITY[reason];
      if (advice === undefined || count === 0) return [];
      const what = `${count} packets or connections dropped as ${reason} since ${pins} was made: ${explanation}`;
      return [{ severity: "warning", what, do: `${advice}. \`portolan drops --watch\` shows whether it goes on` }];
    }),
};
