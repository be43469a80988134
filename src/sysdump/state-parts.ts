// SPDX-License-Identifier: Apache-2.0
// What the pinned maps say, as the command line shows it with `-o json`.

import { dirname } from "node:path";
import type { Pins } from "../datapath/ebpf/pins.ts";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import { findOthers } from "../datapath/others.ts";
import { examine, readNode } from "../inspect/doctor.ts";
import { affinityOf, backendsOf, dropsOf, flowsOf, frontendsOf, servicesOf, sourcesOf } from "../inspect/state-rows.ts";
import { readStatus } from "../inspect/status.ts";
import { netnsCookie, openNetlink, probeFeatures } from "../libbpf/index.ts";
import type { LinkInfo } from "../libbpf/types.ts";
import { jsonText, type Part } from "./part.ts";

export interface StateSubject {
  /** Throws what keeps the pins from being opened. */
  readonly open: () => { readonly state: DatapathState; readonly pins: Pins };
  readonly stateDir: string;
  /** So many flows at most. */
  readonly flows: number;
}

export function stateParts({ open, stateDir, flows }: StateSubject): readonly Part[] {
  const part = (name: string, rows: (state: DatapathState, pins: Pins) => unknown, more = ""): Part => ({
    file: `state/${name}.json`,
    what: `portolan ${name} -o json${more}`,
    read: async () => {
      const { state, pins } = open();
      return jsonText(await rows(state, pins));
    },
  });
  return [
    part(
      "status",
      (state, pins) => ({ ...readStatus(state, pins, stateDir, linksOf(state)?.() ?? []), features: probeFeatures() }),
      " --verbose",
    ),
    part("doctor", async (state, pins) => {
      const links = linksOf(state);
      return examine(readNode(state, pins, stateDir, links, links && (await findOthers(dirname(pins.root)))));
    }),
    part("services", servicesOf),
    part("backends", backendsOf),
    part("frontends", frontendsOf),
    part("sources", sourcesOf),
    part("affinity", affinityOf),
    part("drops", dropsOf),
    part("flows", (state) => flowsOf(state, flows), `, of ${flows} connections at most`),
  ];
}

/** Lists the devices; undefined in a network namespace that is not the agent's, where an index is another device. */
function linksOf(state: DatapathState): (() => readonly LinkInfo[]) | undefined {
  if (state.agent()?.netnsCookie !== netnsCookie()) return undefined;
  return () => {
    using netlink = openNetlink();
    return netlink.links();
  };
}
