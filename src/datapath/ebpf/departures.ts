// SPDX-License-Identifier: Apache-2.0
// Endpoints that are not named any more by a Service whose connections end with them. What ends cannot be undone, and an
// endpoint that moves to another slice, or a slice that is written anew, is gone for a moment: so they count as serving
// for a while, and for as long as the Service names no endpoint at all, as when its slices are deleted before it.

import type { CompiledService, ServiceKey } from "../../compile/state.ts";
import { type BackendTable, idsOf } from "./backends.ts";
import type { Block } from "./blocks.ts";
import { placeOf } from "./service-block.ts";
import { endsConnections } from "./service-plan.ts";

/** From the change in which an endpoint is not named any more to the one in which it has left. */
export const GRACE_MS = 1000;

interface Held {
  readonly wanted: CompiledService;
  /** By place: when it will have left, on performance.now()'s clock; Infinity: not before another one is named. */
  readonly leavesAt: ReadonlyMap<string, number>;
}

export interface DepartureListener {
  /** These services have endpoints whose time has come; hold() leaves them out then. */
  readonly onDue: (services: readonly CompiledService[]) => void;
  /** What onDue threw. */
  readonly onError: (error: unknown) => void;
}

export class Departures implements Disposable {
  readonly #backends: BackendTable;
  readonly #graceMs: number;
  readonly #listener: DepartureListener;
  readonly #held = new Map<ServiceKey, Held>();
  #timer: NodeJS.Timeout | undefined;

  constructor(backends: BackendTable, graceMs: number, listener: DepartureListener) {
    this.#backends = backends;
    this.#graceMs = graceMs;
    this.#listener = listener;
  }

  /** What is to be published as service in place of the block before: with the endpoints that have not left for good. */
  hold(wanted: CompiledService, service: CompiledService, before: Block | undefined): CompiledService {
    const known = this.#held.get(wanted.key)?.leavesAt;
    this.#held.delete(wanted.key);
    if (!service.endsConnections || !before || !endsConnections(before)) return service;
    const places = new Set([...service.cluster, ...service.local, ...service.serving].map(placeOf));
    const empty = wanted.cluster.length + wanted.local.length + wanted.serving.length === 0;
    const leavesAt = new Map<string, number>();
    const now = performance.now();
    const serving = [...service.serving];
    for (const id of idsOf(before)) {
      const member = this.#backends.member(id);
      const place = placeOf(member);
      if (places.has(place)) continue;
      places.add(place);
      const at = empty ? Number.POSITIVE_INFINITY : (finite(known?.get(place)) ?? now + this.#graceMs);
      if (at <= now) continue;
      leavesAt.set(place, at);
      serving.push(member);
    }
    if (leavesAt.size === 0) return service;
    this.#held.set(wanted.key, { wanted, leavesAt });
    this.#wait();
    return { ...service, serving };
  }

  /** The Service is gone, and ends nothing. */
  forget(key: ServiceKey): void {
    this.#held.delete(key);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...[...this.#held.values()].map(dueAt));
    if (!Number.isFinite(next)) return;
    this.#timer = setTimeout(() => this.#due(), Math.max(0, Math.ceil(next - performance.now())));
    this.#timer.unref();
  }

  #due(): void {
    const now = performance.now();
    const due = [...this.#held.values()].filter((held) => dueAt(held) <= now);
    try {
      if (due.length > 0) this.#listener.onDue(due.map(({ wanted }) => wanted));
    } catch (error) {
      this.#listener.onError(error);
    }
    this.#wait();
  }
}

function dueAt({ leavesAt }: Held): number {
  return Math.min(...leavesAt.values());
}

function finite(at: number | undefined): number | undefined {
  return at !== undefined && Number.isFinite(at) ? at : undefined;
}
