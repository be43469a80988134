// SPDX-License-Identifier: Apache-2.0
// Follows ServiceCIDR objects and tells the datapath which ranges ClusterIPs come from.

import type { Datapath } from "../datapath/contract.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { Cidr } from "../model/ip.ts";
import type { Log } from "./log.ts";

export class RangeFollower {
  readonly #datapath: Datapath;
  readonly #log: Log;
  readonly #ranges = new Map<string, readonly Cidr[]>();
  /** Something is not in the datapath yet. An earlier agent may have left ranges of which this one is to know. */
  #due = true;

  constructor(datapath: Datapath, log: Log) {
    this.#datapath = datapath;
    this.#log = log;
  }

  /** Nothing is told before all is known: what an earlier agent left counts until then. */
  update({ synced, serviceCidrs }: ModelChanges): void {
    for (const { previous, current } of serviceCidrs) {
      if (current) this.#ranges.set(current.name, current.cidrs);
      else if (previous) this.#ranges.delete(previous.name);
      this.#due = true;
    }
    if (!synced || !this.#due) return;
    try {
      this.#datapath.setServiceRanges([...this.#ranges.values()].flat());
      this.#due = false;
    } catch (error) {
      this.#log.error(
        { err: error },
        "the ranges of ClusterIPs could not be written, with the next change it is tried again",
      );
    }
  }
}
