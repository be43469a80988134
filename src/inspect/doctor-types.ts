// SPDX-License-Identifier: Apache-2.0
// What `doctor` looks at and what it says. Plain data, so that every check is a pure function.

import type { MapFill, ServiceState } from "../datapath/ebpf/state-types.ts";
import type { Others } from "../datapath/others.ts";
import type { DropRow } from "./rows.ts";
import type { Status } from "./status.ts";

/** The stable JSON of `doctor`, one for each thing that is not as it should be. */
export interface Finding {
  /** Name of the check that found it. */
  readonly check: string;
  /** error: traffic is or will soon be served wrongly, or not at all. */
  readonly severity: "error" | "warning";
  /** Names the thing and the place. For people; its wording may change. */
  readonly what: string;
  /** What to do about it. For people; its wording may change. */
  readonly do: string;
}

export interface Check {
  readonly name: string;
  readonly look: (node: NodeState) => readonly Omit<Finding, "check">[];
}

/** A device of the node that is there and known to the programs. */
export interface HookedDevice {
  readonly device: string;
  /** "ingress", "egress": those whose TCX link hangs on it. */
  readonly hooks: readonly string[];
}

/** A node as its pinned maps and links tell. */
export interface NodeState {
  /** The first complete state is in the kernel. */
  readonly synced: boolean;
  /** null before the first start */
  readonly agent: Status["agent"];
  /** Objects of which something cannot be used, by the agent's word. */
  readonly problems: number;
  readonly services: readonly Pick<ServiceState, "namespace" | "name" | "family" | "frontends" | "sources">[];
  readonly maps: readonly MapFill[];
  /** "connect4", ...: those that hang on a cgroup. */
  readonly sockets: readonly string[];
  /** undefined: nobody can tell by links, for clsact filters are used or this is another network namespace. */
  readonly devices: readonly HookedDevice[] | undefined;
  readonly drops: readonly DropRow[];
  /** Who else serves Services here; undefined: this is another network namespace. */
  readonly others: Others | undefined;
  /** Directory */
  readonly pins: string;
}
