// SPDX-License-Identifier: Apache-2.0
// What the writer is told from outside.

import type { WriteHook } from "./mapped-array.ts";
import type { RcuSync } from "./reclaim.ts";
import type { SocketProtocol } from "./stale-sockets.ts";

export interface WriterOptions {
  readonly rcuSync: RcuSync;
  /** What went wrong in the background: an RCU period, or a change that still finds no room. */
  readonly onError: (error: unknown) => void;
  /** Services whose flows leave endpoints have lost some, or are new: sockets may be on such as serve no more. */
  readonly onEndpointsLost?: (protocol: SocketProtocol) => void;
  /** How long an endpoint that is not named any more may come back before connections end; default GRACE_MS. */
  readonly graceMs?: number;
  /** For tests: after every write to a mapped array. */
  readonly onWrite?: WriteHook;
}
