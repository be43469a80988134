// SPDX-License-Identifier: Apache-2.0
// Which health checks this node answers, and how many local endpoints each Service has (behaviour row 66). Pure; the
// work is proportional to what a change touches.

import type { Change, ModelChanges } from "../model/changes.ts";
import { type Endpoint, type EndpointSlice, serviceOf } from "../model/endpoint-slice.ts";
import { type Family, familyOf, type Ip } from "../model/ip.ts";
import { isHealthChecked, type Service } from "../model/service.ts";
import { PortClashes } from "./port-clashes.ts";

/** One Service's healthCheckNodePort. Immutable; a change makes a new object. */
export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  /** 1..65535 */
  readonly port: number;
  /** Of each family that the Service has: distinct addresses of its ready endpoints on this node, over all ports. */
  readonly localEndpoints: ReadonlyMap<Family, number>;
}

export interface HealthChanges {
  /** By `namespace/name`, those that a change touched; undefined: the Service is not health-checked. */
  readonly checks: ReadonlyMap<string, HealthCheck | undefined>;
  /** Whole sentences that name the Service; told once, when they become true. */
  readonly warnings: readonly string[];
}

/** By `namespace/name`: addresses of both families of ready endpoints on this node. */
export type EarlierEndpoints = ReadonlyMap<string, readonly Ip[]>;

/** What a slice adds to the count of its Service. */
interface LocalEndpoints {
  readonly family: Family;
  readonly addresses: readonly Ip[];
}

export class HealthChecks {
  readonly #nodeName: string;
  /** Those that are health-checked, by `namespace/name`. */
  readonly #services = new Map<string, Service>();
  /** Slices with ready endpoints on this node, by `namespace/name` of their Service, then by their own name. */
  readonly #local = new Map<string, Map<string, LocalEndpoints>>();
  readonly #clashes = new PortClashes();
  /**
   * What an earlier agent served, where no endpoint of that family was known since: it is served until the state is
   * complete, because its slices may not have been read yet.
   */
  readonly #earlier: Map<string, readonly Ip[]>;

  /** nodeName: endpoints on this node are local. */
  constructor(nodeName: string, earlier: EarlierEndpoints = new Map()) {
    this.#nodeName = nodeName;
    this.#earlier = new Map(earlier);
  }

  update(changes: ModelChanges): HealthChanges {
    const touched = new Set<string>();
    for (const change of changes.services) this.#takeService(change, touched);
    for (const change of changes.endpointSlices) this.#takeSlice(change, touched);
    if (changes.synced && this.#earlier.size > 0) {
      for (const name of this.#earlier.keys()) if (this.#services.has(name)) touched.add(name);
      this.#earlier.clear();
    }
    const checks = new Map<string, HealthCheck | undefined>();
    for (const name of touched) checks.set(name, this.#check(name));
    return { checks, warnings: this.#clashes.take() };
  }

  #takeService({ previous, current }: Change<Service>, touched: Set<string>): void {
    const object = current ?? previous;
    if (!object) return;
    this.#clashes.change(previous, current);
    const name = [object.namespace, object.name].join("/");
    const had = this.#services.delete(name);
    if (current && isHealthChecked(current)) this.#services.set(name, current);
    if (had || this.#services.has(name)) touched.add(name);
  }

  #takeSlice({ previous, current }: Change<EndpointSlice>, touched: Set<string>): void {
    const before = previous && serviceOf(previous);
    if (previous && before !== undefined && this.#forget(before, previous.name)) touched.add(before);
    const after = current && serviceOf(current);
    if (current?.family === undefined || after === undefined) return;
    if (current.endpoints.some(isUsable)) this.#supersede(after, current.family, touched);
    const addresses = this.#readyHere(current);
    if (addresses.length === 0) return;
    const slices = this.#local.get(after) ?? new Map<string, LocalEndpoints>();
    this.#local.set(after, slices.set(current.name, { family: current.family, addresses }));
    touched.add(after);
  }

  #supersede(service: string, family: Family, touched: Set<string>): void {
    const earlier = this.#earlier.get(service);
    if (!earlier) return;
    this.#earlier.set(
      service,
      earlier.filter((address) => familyOf(address) !== family),
    );
    touched.add(service);
  }

  #forget(service: string, slice: string): boolean {
    const slices = this.#local.get(service);
    const had = slices?.delete(slice) ?? false;
    if (slices?.size === 0) this.#local.delete(service);
    return had;
  }

  /** Ready as its slice says: an endpoint that terminates is so only if the Service publishes addresses that are not ready. */
  #readyHere({ ports, endpoints }: EndpointSlice): readonly Ip[] {
    if (ports.length === 0) return [];
    return endpoints
      .filter(({ nodeName, ready }) => ready && nodeName === this.#nodeName)
      .map(({ address }) => address);
  }

  #check(key: string): HealthCheck | undefined {
    const service = this.#services.get(key);
    if (!service) return undefined;
    const { namespace, name, healthCheckNodePort: port } = service;
    const slices = [...(this.#local.get(key)?.values() ?? [])];
    const earlier = this.#earlier.get(key) ?? [];
    const localEndpoints = service.clusterIps.map((clusterIp): [Family, number] => {
      const family = familyOf(clusterIp);
      const addresses = slices.filter((slice) => slice.family === family).flatMap((slice) => slice.addresses);
      const before = earlier.filter((address) => familyOf(address) === family);
      return [family, new Set([...addresses, ...before]).size];
    });
    return { namespace, name, port, localEndpoints: new Map(localEndpoints) };
  }
}

/** New connections may go there (rows 16, 17). */
function isUsable({ ready, serving, terminating }: Endpoint): boolean {
  return ready || (serving && terminating);
}
