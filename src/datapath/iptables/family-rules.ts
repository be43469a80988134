// SPDX-License-Identifier: Apache-2.0
// All rules of one family: those of its Services and those that are there in any case, put together in chains. It keeps what was
// made of each Service, so that a change costs what it changes. Pure.

import type { CompiledService, ServiceKey } from "../../compile/state.ts";
import type { Family } from "../../model/ip.ts";
import type { TableName } from "../netfilter/iptables.ts";
import type { RuleSettings, Wanted } from "../rules/writer.ts";
import { type BaseRules, baseRules } from "./base-rules.ts";
import { detectorOf } from "./detector.ts";
import type { AffinityStore } from "./endpoint-rules.ts";
import { placeOf, SHARED_CHAINS, type SharedChain } from "./frontend-rules.ts";
import type { PortOptions } from "./port.ts";
import { type ServiceRules, serviceRules } from "./service-rules.ts";
import { TableChains } from "./table.ts";

/** In the order in which they are written: what is not to pass is dropped before anything leads there. */
export const TABLES: readonly TableName[] = ["filter", "nat", "mangle"];

/** Beyond so many endpoints their rules go without comments (row 76). */
const LARGE_CLUSTER_ENDPOINTS = 1000;

export interface FamilyOptions extends RuleSettings {
  /** nf_conntrack_tcp_be_liberal */
  readonly liberal: boolean;
}

export interface Rendered {
  /** Services whose rules were made anew: what differs is among them. */
  readonly keys: ReadonlySet<ServiceKey>;
  /** How many of those before are gone. */
  readonly removed: number;
}

export class FamilyRules {
  readonly tables: Readonly<Record<TableName, TableChains>> = {
    filter: new TableChains(),
    nat: new TableChains(),
    mangle: new TableChains(),
  };
  readonly #family: Family;
  readonly #options: FamilyOptions;
  readonly #services = new Map<ServiceKey, ServiceRules>();
  readonly #sets = new Set<string>();
  #base: BaseRules | undefined;
  /** What the rules of all Services depend on. */
  #form = "";

  constructor(family: Family, options: FamilyOptions) {
    this.#family = family;
    this.#options = options;
  }

  /** undefined before the first want(). */
  get base(): BaseRules | undefined {
    return this.#base;
  }

  /** Sets of ipset that the rules name. */
  get sets(): ReadonlySet<string> {
    return this.#sets;
  }

  /** store: for Services with session affinity, always the same. */
  want(wanted: Wanted, store: AffinityStore): Rendered {
    const { services, surroundings } = wanted;
    const touched = new Set<SharedChain>();
    if (wanted.whole || wanted.surroundingsChanged || !this.#base) {
      this.#wantBase(baseRules(this.#family, surroundings, this.#options));
      for (const chain of SHARED_CHAINS) touched.add(chain);
    }
    const comments = endpointsOf(services.values(), this.#family) <= LARGE_CLUSTER_ENDPOINTS;
    const detector = detectorOf(surroundings.localClients, this.#family);
    const form = JSON.stringify([comments, detector]);
    const keys = this.#keysOf(wanted, wanted.whole || form !== this.#form);
    this.#form = form;
    const before = [...keys].filter((key) => this.#services.has(key));
    for (const key of keys) {
      const service = services.get(key);
      const ofFamily = service?.family === this.#family ? service : undefined;
      const options: PortOptions = { ...this.#options, store, comments, detector };
      for (const chain of this.#wantService(key, ofFamily, options)) touched.add(chain);
    }
    for (const chain of touched) this.#wantShared(chain);
    const removed = before.filter((key) => !this.#services.has(key)).length;
    return { keys, removed };
  }

  rulesOf(key: ServiceKey): ServiceRules | undefined {
    return this.#services.get(key);
  }

  #keysOf({ services, changed }: Wanted, all: boolean): ReadonlySet<ServiceKey> {
    return all ? new Set([...services.keys(), ...this.#services.keys()]) : changed;
  }

  #wantBase(base: BaseRules): void {
    for (const table of TABLES) {
      const chains = new Set([...(this.#base?.chains[table].keys() ?? []), ...base.chains[table].keys()]);
      for (const chain of chains) this.tables[table].want(chain, base.chains[table].get(chain));
    }
    this.#base = base;
  }

  /** Returns the shared chains that are different by it. */
  #wantService(key: ServiceKey, service: CompiledService | undefined, options: PortOptions): readonly SharedChain[] {
    const before = this.#services.get(key);
    const now = service && serviceRules(service, options);
    if (now) this.#services.set(key, now);
    else this.#services.delete(key);
    for (const table of ["filter", "nat"] as const) {
      for (const chain of before?.[table].keys() ?? []) this.tables[table].want(chain, undefined);
      for (const [chain, rules] of now?.[table] ?? []) this.tables[table].want(chain, rules);
    }
    for (const set of before?.sets ?? []) this.#sets.delete(set);
    for (const set of now?.sets ?? []) this.#sets.add(set);
    return SHARED_CHAINS.filter((chain) => !sameRules(before?.shared.get(chain), now?.shared.get(chain)));
  }

  /** In the order of the Services' keys, so that the next agent finds what it wants. */
  #wantShared(name: SharedChain): void {
    const keys = [...this.#services.keys()].filter((key) => this.#services.get(key)?.shared.has(name)).sort();
    const rules = keys.flatMap((key) => this.#services.get(key)?.shared.get(name) ?? []);
    const last = name === "nat KUBE-SERVICES" ? (this.#base?.nodePorts ?? []) : [];
    const { table, chain } = placeOf(name);
    this.tables[table].want(chain, [...rules, ...last]);
  }
}

function endpointsOf(services: Iterable<CompiledService>, ofFamily: Family): number {
  let count = 0;
  for (const { family, cluster } of services) if (family === ofFamily) count += cluster.length;
  return count;
}

function sameRules(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((rule, index) => rule === b[index]);
}
