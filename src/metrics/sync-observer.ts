// SPDX-License-Identifier: Apache-2.0
// Who is told how changes fare on their way into the kernel: health and metrics.

import type { Delta } from "../compile/state.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { Family } from "../model/ip.ts";

/** services: single ones lack something, such as room; all else is in force. kernel: it refused what nobody lacks. */
export type Failure = "none" | "services" | "kernel";

export interface SyncOutcome {
  /** What was to be published; undefined: what was left of earlier changes, or nothing could be compiled. */
  readonly delta: Delta | undefined;
  /** Families of services that this was about. */
  readonly families: ReadonlySet<Family>;
  readonly failure: Failure;
  /** No change waits that the kernel has refused, of this attempt or an earlier one. */
  readonly upToDate: boolean;
  /** Since the changes arrived, and of that the kernel's part. */
  readonly tookMs: number;
  readonly publishMs: number;
}

export interface SyncObserver {
  /** Changes have arrived, and go into the kernel now. */
  queued(changes: ModelChanges): void;
  /** They went there, or not all of them. */
  settled(outcome: SyncOutcome): void;
}

export const NO_OBSERVER: SyncObserver = { queued: () => undefined, settled: () => undefined };
