// SPDX-License-Identifier: Apache-2.0
// A support archive: all parts of it, in their order.

import type { Pins } from "../datapath/ebpf/pins.ts";
import { agentParts } from "./agent-parts.ts";
import { nodeParts } from "./node-parts.ts";
import type { Part } from "./part.ts";
import { type StateSubject, stateParts } from "./state-parts.ts";

export { writeArchive } from "./archive.ts";

export interface SysdumpSubject extends StateSubject {
  /** Where they would be. */
  readonly pins: Pins;
  /** Portolan's own. */
  readonly version: string;
}

export function parts({ pins, version, ...subject }: SysdumpSubject): readonly Part[] {
  return [...stateParts(subject), ...agentParts(subject.stateDir), ...nodeParts(pins, version)];
}
