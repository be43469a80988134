// SPDX-License-Identifier: Apache-2.0
// Opens the pinned state for a command; when there is none, says what to do about it.

import { checkBpffs } from "../agent/checks.ts";
import { NodeError } from "../agent/errors.ts";
import { type Pins, pinsUnder } from "../datapath/ebpf/pins.ts";
import { NoStateError, openState } from "../datapath/ebpf/state.ts";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import { readServingMode } from "../inspect/settings.ts";
import { BpfError } from "../libbpf/index.ts";
import type { StateOptions } from "./inspect-options.ts";

export interface OpenedState extends Disposable {
  readonly state: DatapathState;
  readonly pins: Pins;
}

/** Throws NodeError (exit status 3) with what is missing, or where rules serve, which pin nothing. */
export function openInspection(options: StateOptions): OpenedState {
  const mode = readServingMode(options.stateDir)?.mode ?? "ebpf";
  if (mode !== "ebpf") {
    throw new NodeError(
      `this node is served in mode ${mode}, which keeps no maps to read: status, services, backends, frontends, sources, explain, diff and doctor tell what is served`,
    );
  }
  const state = open(options.bpffs);
  return { state, pins: pinsUnder(options.bpffs), [Symbol.dispose]: () => state[Symbol.dispose]() };
}

function open(bpffs: string): DatapathState {
  try {
    return openState(bpffs);
  } catch (cause) {
    if (cause instanceof NoStateError) {
      checkBpffs(bpffs);
      throw cause;
    }
    if (cause instanceof BpfError && (cause.code === "EPERM" || cause.code === "EACCES")) {
      throw new NodeError(`${cause.message}: reading BPF maps takes CAP_BPF, run this as root`, { cause });
    }
    throw cause;
  }
}
