// SPDX-License-Identifier: Apache-2.0
// Who is told of what the source tells, and in which order: no packet may meet a step before what the step rests on.

import type { Datapath } from "../datapath/contract.ts";
import type { Source } from "../source/source.ts";
import type { HealthFollower } from "./health-follower.ts";
import type { NodeFollower } from "./node-follower.ts";
import type { OptOutFollower } from "./opt-out-follower.ts";
import type { RangeFollower } from "./range-follower.ts";
import type { ServiceFollower } from "./service-follower.ts";

export interface Followers {
  readonly node: Pick<NodeFollower, "update">;
  readonly services: Pick<ServiceFollower, "update" | "troubled">;
  readonly ranges: Pick<RangeFollower, "update" | "settle">;
  readonly health: Pick<HealthFollower, "update">;
  /** undefined: no socket is balanced. */
  readonly optOuts: Pick<OptOutFollower, "update"> | undefined;
  readonly driver: Pick<Datapath, "noteProblems">;
}

/** Resolves as Source.start() does. */
export function startSource(source: Pick<Source, "start">, followers: Followers, recall: boolean): Promise<void> {
  const { node, services, ranges, health, optOuts, driver } = followers;
  return source.start((changes, troubled) => {
    const sure = troubled.size === 0;
    node.update(changes.nodes);
    ranges.update(changes, sure); // an endpoint is not served while silence may meet it
    void services.update(changes, sure); // the datapath takes what it is told in this order
    ranges.settle(); // nor is an address nobody's while it may be a Service's
    health.update(changes);
    optOuts?.update(changes);
    driver.noteProblems(new Set([...troubled, ...services.troubled]).size);
  }, recall);
}
