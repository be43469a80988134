// SPDX-License-Identifier: Apache-2.0
// The threads that V8 compiles and collects in, beside the one that reads changes and writes maps.

import { batchOtherThreads } from "../libbpf/index.ts";
import type { Log } from "./log.ts";

/** They wait for a CPU rather than take it from a change that is on its way into the kernel. */
export function deferHelpers(log: Log): void {
  try {
    batchOtherThreads();
  } catch (error) {
    log.warn({ err: error }, "the threads of V8 may hold up changes by a few milliseconds");
  }
}
