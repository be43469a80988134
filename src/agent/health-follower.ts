// SPDX-License-Identifier: Apache-2.0
// Health checks of load balancers: model → counts → HTTP servers. They are answered once the first state serves.

import type { AdoptedService, NodeAddress } from "../datapath/contract.ts";
import { type EarlierEndpoints, HealthChecks } from "../health/health-checks.ts";
import { type HealthPlaces, HealthServers, type HealthServersOptions } from "../health/health-servers.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { Ip } from "../model/ip.ts";
import { healthPlaces, type NodePortRule } from "./node-addresses.ts";

export class HealthFollower implements AsyncDisposable {
  #rule: NodePortRule;
  readonly #log: HealthServersOptions["log"];
  readonly #checks: HealthChecks;
  readonly #servers: HealthServers;
  #places: HealthPlaces = new Map();
  #serving = false;

  /** adopted: what an earlier agent served counts until the state is complete. */
  constructor(nodeName: string, rule: NodePortRule, adopted: readonly AdoptedService[], options: HealthServersOptions) {
    this.#rule = rule;
    this.#log = options.log;
    this.#checks = new HealthChecks(nodeName, endpointsOf(adopted));
    this.#servers = new HealthServers(options);
  }

  update(changes: ModelChanges): void {
    const { checks, warnings } = this.#checks.update(changes);
    for (const warning of warnings) this.#log.warn(warning);
    this.#servers.update(checks);
  }

  /** Which addresses, of those that are set next. */
  setRule(rule: NodePortRule): void {
    this.#rule = rule;
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

/** By `namespace/name`, from keys `namespace/name:port/TCP/IPv4`. */
function endpointsOf(adopted: readonly AdoptedService[]): EarlierEndpoints {
  const found = new Map<string, Ip[]>();
  for (const { key, localEndpoints } of adopted) {
    const name = key.slice(0, key.indexOf(":"));
    found.set(name, [...(found.get(name) ?? []), ...localEndpoints]);
  }
  return found;
}
