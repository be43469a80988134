// SPDX-License-Identifier: Apache-2.0
// What the cluster is told of this node or of a Service on it: an Event as `kubectl get events` lists it (behaviour row 72).

export interface ClusterEvent {
  /** A Service, else this node. */
  readonly regarding: { readonly namespace: string; readonly name: string } | "this node";
  readonly type: "Normal" | "Warning";
  /** For programs, in CamelCase: kube-proxy's where it has one. */
  readonly reason: string;
  /** What was being done, in CamelCase. */
  readonly action: string;
  /** For people; at most 1 kB of it counts. */
  readonly note: string;
}

export type OnEvent = (event: ClusterEvent) => void;
