// SPDX-License-Identifier: Apache-2.0
// What a source tells the rooms behind it, and the tracker that boils a run of updates down to that.

import type { EndpointSlice } from "./endpoint-slice.ts";
import type { Node } from "./node.ts";
import type { Namespace, Pod } from "./pod.ts";
import { sameValue } from "./same-value.ts";
import type { Service } from "./service.ts";
import type { ServiceCidr } from "./service-cidr.ts";

export type ModelObject = Service | EndpointSlice | Node | Pod | Namespace | ServiceCidr;

/** previous undefined: new; current undefined: gone. */
export interface Change<T> {
  readonly previous: T | undefined;
  readonly current: T | undefined;
}

/**
 * A step of the model. While synced is false the source has not told everything yet, and what it has not named must be
 * left as it is. The first step with synced true completes the state: only then may what is unnamed go.
 */
export interface ModelChanges {
  readonly synced: boolean;
  readonly services: readonly Change<Service>[];
  readonly endpointSlices: readonly Change<EndpointSlice>[];
  readonly nodes: readonly Change<Node>[];
  readonly pods: readonly Change<Pod>[];
  readonly namespaces: readonly Change<Namespace>[];
  readonly serviceCidrs: readonly Change<ServiceCidr>[];
}

/** For who tells of one kind only. */
export const NO_CHANGES: Omit<ModelChanges, "synced"> = {
  services: [],
  endpointSlices: [],
  nodes: [],
  pods: [],
  namespaces: [],
  serviceCidrs: [],
};

/** The parts of any ModelObject, or of what may become one, that tell it from others. */
export interface ObjectName {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** `Kind/namespace/name`: identity of an object; what has no namespace, such as a Node, has the empty one. */
export function objectKey({ kind, namespace = "", name }: ObjectName): string {
  // join() makes a string in one piece; the pieces of a template literal would stay in memory with it.
  return [kind, namespace, name].join("/");
}

/** Collects changes until they are taken: of each object the state before the first and after the last; A→B→A is nothing. */
export class ChangeTracker {
  readonly #pending = new Map<string, Change<ModelObject>>();

  record(key: string, previous: ModelObject | undefined, current: ModelObject | undefined): void {
    const first = this.#pending.get(key)?.previous;
    const before = this.#pending.has(key) ? first : previous;
    if (sameObject(before, current)) this.#pending.delete(key);
    else this.#pending.set(key, { previous: before, current });
  }

  /** What has changed since the last take(). */
  take(synced: boolean): ModelChanges {
    const services: Change<Service>[] = [];
    const endpointSlices: Change<EndpointSlice>[] = [];
    const nodes: Change<Node>[] = [];
    const pods: Change<Pod>[] = [];
    const namespaces: Change<Namespace>[] = [];
    const serviceCidrs: Change<ServiceCidr>[] = [];
    for (const change of this.#pending.values()) {
      const kind = (change.current ?? change.previous)?.kind;
      if (kind === "Service") services.push(change as Change<Service>);
      else if (kind === "EndpointSlice") endpointSlices.push(change as Change<EndpointSlice>);
      else if (kind === "Pod") pods.push(change as Change<Pod>);
      else if (kind === "Namespace") namespaces.push(change as Change<Namespace>);
      else if (kind === "ServiceCIDR") serviceCidrs.push(change as Change<ServiceCidr>);
      else nodes.push(change as Change<Node>);
    }
    this.#pending.clear();
    return { synced, services, endpointSlices, nodes, pods, namespaces, serviceCidrs };
  }

  get empty(): boolean {
    return this.#pending.size === 0;
  }
}

/** The same but for the time at which a slice came to be so: the control plane may write another without a change. */
function sameObject(before: ModelObject | undefined, current: ModelObject | undefined): boolean {
  return sameValue(withoutTrigger(before), withoutTrigger(current));
}

function withoutTrigger(object: ModelObject | undefined): unknown {
  if (object?.kind !== "EndpointSlice" || object.changeTriggeredMs === undefined) return object;
  const { changeTriggeredMs: _, ...rest } = object;
  return rest;
}
