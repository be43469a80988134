// SPDX-License-Identifier: Apache-2.0
// One agent on one set of pins: two would write over each other's blocks.

import { mkdirSync } from "node:fs";
import type { Pins } from "../datapath/ebpf/pins.ts";
import { BpfError, lockDirectory } from "../libbpf/index.ts";
import { NodeError } from "./errors.ts";

/** Held until disposed or the process ends. Throws NodeError that names the process that holds it. */
export function lockPins(pins: Pins): Disposable {
  mkdirSync(pins.root, { recursive: true });
  try {
    return lockDirectory(pins.root);
  } catch (cause) {
    if (!(cause instanceof BpfError) || cause.code !== "EAGAIN") throw cause;
    const holder = cause.hint ?? "held by another process";
    throw new NodeError(
      `the pins in ${pins.root} are in use, ${holder}: stop that agent first, or give this one a --bpffs of its own`,
      { cause },
    );
  }
}
