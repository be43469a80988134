// SPDX-License-Identifier: Apache-2.0
// By what a node is served in one mode: what the agent opens, feeds and lets begin, whichever it is.

import type { AdoptedService, Datapath } from "../datapath/contract.ts";
import type { Counters } from "../datapath/ebpf/counters.ts";
import type { OptedOutTable } from "../datapath/ebpf/opted-out.ts";
import type { OnEvent } from "../model/cluster-event.ts";
import type { Choice } from "./choose-mode.ts";
import type { Log } from "./log.ts";
import type { AgentOptions } from "./options.ts";

/** What a mode is opened with. */
export interface ServingContext {
  readonly options: AgentOptions;
  readonly choice: Choice;
  readonly log: Log;
  readonly onEvent: OnEvent;
  /** The source may be read from now on: nobody else is at work on this node's datapath. */
  readonly read: () => void;
}

/** The first state. */
export interface FirstState {
  /** Resolves once it has been published. */
  readonly published: Promise<void>;
  /** The source could not be read yet: nothing is on its way to be published. */
  readonly unread: boolean;
  /** From now on the datapath is told of devices, as they are and as they change. */
  readonly attach: () => void;
}

/** Pods whose sockets are not balanced. */
export interface SocketBalancing {
  readonly optedOut: OptedOutTable;
  /** Where kubelet keeps pods' cgroups, of either version. */
  readonly podCgroups: readonly string[];
}

export interface Serving {
  readonly datapath: Datapath;
  /** Something of an earlier agent serves already. */
  readonly servedBefore: boolean;
  /** What of it is known by name. */
  readonly adopted: readonly AdoptedService[];
  /** undefined: nothing counts. */
  readonly counters: Counters | undefined;
  /** undefined: sockets are left alone, all traffic is met as packets. */
  readonly sockets: SocketBalancing | undefined;
  /** Resolves once the first state serves, and what served before is on its way out. Rejects where that cannot be. */
  begin(first: FirstState): Promise<void>;
  /** Takes up options that may change while the agent runs. */
  reconfigure(options: AgentOptions): void;
}

/** Runs `run` with a node that is served in one mode, and lets go of it afterwards; what serves in the kernel goes on. */
export type Serve = (context: ServingContext, run: (serving: Serving) => Promise<void>) => Promise<void>;
