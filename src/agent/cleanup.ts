// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: the datapath of an agent that has stopped goes away.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type CleanupReport, cleanupPins } from "../datapath/ebpf/cleanup.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { checkBpffs } from "./checks.ts";
import { lockPins } from "./lock.ts";

/** Throws NodeError while an agent runs on these pins, or when there is no bpffs. */
export function cleanup(bpffs: string): CleanupReport {
  const directory = resolve(bpffs);
  checkBpffs(directory);
  const pins = pinsUnder(directory);
  if (!existsSync(pins.root)) return { links: 0, maps: 0 };
  using _lock = lockPins(pins);
  return cleanupPins(pins);
}
