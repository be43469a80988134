// SPDX-License-Identifier: Apache-2.0
// One agent on one set of pins: two would write over each other's blocks.

import { mkdirSync } from "node:fs";
import { type Pins, pinsUnder } from "../datapath/ebpf/pins.ts";
import { bpffsPlace } from "../datapath/places.ts";
import { BpfError, lockDirectory } from "../libbpf/index.ts";
import { NodeError } from "./errors.ts";
import type { AgentOptions } from "./options.ts";

/** Held until disposed or the process ends. Throws NodeError that names the process that holds it. */
export function lockPins(pins: Pins): Disposable {
  return lock(pins.root, `the pins in ${pins.root} are`, "a --bpffs of its own");
}

/** Likewise, of an agent that serves by rules: the pins where they could be, else its own directory. */
export function lockNode({ bpffs, stateDir }: Pick<AgentOptions, "bpffs" | "stateDir">): Disposable {
  if ("directory" in bpffsPlace(bpffs)) return lockPins(pinsUnder(bpffs));
  return lock(stateDir, `the directory ${stateDir} is`, "a --state-dir of its own");
}

function lock(directory: string, what: string, instead: string): Disposable {
  mkdirSync(directory, { recursive: true });
  try {
    return lockDirectory(directory);
  } catch (cause) {
    if (!(cause instanceof BpfError) || cause.code !== "EAGAIN") throw cause;
    const holder = cause.hint ?? "held by another process";
    throw new NodeError(`${what} in use, ${holder}: stop that agent first, or give this one ${instead}`, {
      cause,
    });
  }
}
