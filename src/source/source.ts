// SPDX-License-Identifier: Apache-2.0
// The seam between where Services come from (a directory, later a Kubernetes API server) and the agent.

import type { ApiActivity } from "../model/api-activity.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { ClusterEvent } from "../model/cluster-event.ts";

export interface SourceProblem {
  /** error: an object or a file does not count. warning: it does, but not all of it, or look. debug: for the curious. */
  readonly severity: "error" | "warning" | "debug";
  /** `file:line`, or the best that is known. */
  readonly place: string;
  /** Names the thing and says what to do. */
  readonly message: string;
}

/** troubled: objects, as `Service default/web`, and places of which something cannot be used now. */
export type OnChange = (changes: ModelChanges, troubled: ReadonlySet<string>) => void;

export interface Source extends AsyncDisposable {
  /**
   * Begins to read, once. What is read before start() is held as one state, however often it changes, and only problems
   * are told.
   */
  begin(onProblem: (problem: SourceProblem) => void): void;

  /**
   * After begin(). Tells the state, then its changes, until disposed. Changes with synced false may come first; nothing that they do
   * not name may be removed. The first with synced true completes the state. Resolves once all that can be had now is
   * told, which part of it may not be: a file that cannot be read. Callbacks are never called at the same time, nor after
   * disposal. onChange is also called, with no changes, when only troubled differs. recall: of what cannot be had now,
   * what an earlier run last knew may be told; not where the kernel holds newer than that.
   */
  start(onChange: OnChange, recall: boolean): Promise<void>;

  /** Tells the cluster, where there is one. Never waits or fails. */
  record(event: ClusterEvent): void;

  /** What it has asked of an API server so far. A source without one has no such method. */
  activity?(): ApiActivity;
}
