// SPDX-License-Identifier: Apache-2.0
// Health checks of load balancers: model → counts → HTTP servers. They are answered once the first state serves.

import type { NodeAddress } from "../datapath/contract.ts";
import { HealthChecks } from "../health/health-checks.ts";
import { type HealthPlaces, HealthServers, type HealthServersOptions } from "../health/health-servers.ts";
import type { ModelChanges } from "../model/changes.ts";
import { healthPlaces, type NodePortRule } from "./node-addresses.ts";

export class HealthFollower implements AsyncDisposable {
  readonly #rule: NodePortRule;
  readonly #log: HealthServersOptions["log"];
  readonly #checks: HealthChecks;
  readonly #servers: HealthServers;
  #places: HealthPlaces = new Map();
  #serving = false;

  constructor(nodeName: string, rule: NodePortRule, options: HealthServersOptions) {
    this.#rule = rule;
    this.#log = options.log;
    this.#checks = new HealthChecks(nodeName);
    this.#servers = new HealthServers(options);
  }

  update(changes: ModelChanges): void {
    const { checks, warnings } = this.#checks.update(changes);
    for (const warning of warnings) this.#log.warn(warning);
    this.#servers.update(checks);
  }

  setNodeAddresses(addresses: readonly NodeAddress[]): void {
    this.#places = healthPlaces(this.#rule, addresses);
    if (this.#serving) this.#servers.listenOn(this.#places);
  }

  /** From now on: a load balancer that is told yes sends traffic. */
  serve(): void {
    this.#serving = true;
    this.#servers.listenOn(this.#places);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#servers[Symbol.asyncDispose]();
  }
}
