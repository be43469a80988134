// SPDX-License-Identifier: Apache-2.0
// Turns changes of the model into changes of compiled services. No I/O; the work is proportional to the Services that
// a change touches, and what compiles to what it was before is not in the delta.

import type { Change, ModelChanges } from "../model/changes.ts";
import { type EndpointSlice, serviceOf } from "../model/endpoint-slice.ts";
import { sameValue } from "../model/same-value.ts";
import { isProxied, type Service } from "../model/service.ts";
import { type Claimant, FrontendClaims } from "./frontend-claims.ts";
import { compileService, schedulerOf } from "./service-port.ts";
import type { CompiledService, Delta, Frontend, ServiceKey } from "./state.ts";

/** Something a Service asks for that it does not get. */
export interface CompileWarning {
  readonly namespace: string;
  readonly name: string;
  /** A whole sentence that names the Service and what to do. */
  readonly message: string;
}

export interface Compiled {
  readonly delta: Delta;
  /** Told once, when it becomes true. */
  readonly warnings: readonly CompileWarning[];
}

/** Shared: nearly every service port serves all its frontends. */
const NOTHING: ReadonlyMap<string, ServiceKey> = new Map();

interface Port extends Claimant {
  createdMs: number;
  wanted: CompiledService;
  /** What the datapath has: wanted without the frontends that others hold. */
  told: CompiledService | undefined;
  /** Frontends not served, with the key of the service port that holds them: told as warnings. */
  lost: ReadonlyMap<string, ServiceKey>;
  gone: boolean;
}

export class Compiler {
  readonly #nodeName: string;
  /** These three by `namespace/name` of the Service. */
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #ports = new Map<string, ReadonlyMap<ServiceKey, Port>>();
  readonly #claims = new FrontendClaims<Port>();

  /** nodeName: endpoints on this node are local. */
  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  update(changes: ModelChanges): Compiled {
    const warnings: CompileWarning[] = [];
    const dirty = new Set<string>();
    for (const change of changes.services) this.#takeService(change, dirty, warnings);
    for (const change of changes.endpointSlices) this.#takeSlice(change, dirty);

    const touched = new Set<Port>();
    const remove: ServiceKey[] = [];
    for (const name of dirty) remove.push(...this.#recompile(name, touched));

    const upsert: CompiledService[] = [];
    for (const port of touched) {
      if (port.gone) continue;
      const service = this.#settle(port, warnings);
      if (sameValue(service, port.told)) continue;
      port.told = service;
      upsert.push(service);
    }
    return { delta: { upsert, remove }, warnings };
  }

  #takeService({ previous, current }: Change<Service>, dirty: Set<string>, warnings: CompileWarning[]): void {
    const object = current ?? previous;
    if (!object) return;
    const name = `${object.namespace}/${object.name}`;
    dirty.add(name);
    if (!current) {
      this.#services.delete(name);
      return;
    }
    this.#services.set(name, current);
    if (isProxied(current) && schedulerOf(current) === undefined && current.scheduler !== previous?.scheduler) {
      const message = `Service ${name}: annotation portolan.dev/scheduler: ${JSON.stringify(current.scheduler)} is not known, the default is used: set random or mh`;
      warnings.push({ namespace: current.namespace, name: current.name, message });
    }
  }

  #takeSlice({ previous, current }: Change<EndpointSlice>, dirty: Set<string>): void {
    const before = previous && serviceOf(previous);
    const after = current && serviceOf(current);
    if (previous && before !== undefined) {
      dirty.add(before);
      const slices = this.#slices.get(before);
      if (before !== after) slices?.delete(previous.name);
      if (slices?.size === 0) this.#slices.delete(before);
    }
    if (current && after !== undefined) {
      dirty.add(after);
      const slices = this.#slices.get(after);
      if (slices) slices.set(current.name, current);
      else this.#slices.set(after, new Map([[current.name, current]]));
    }
  }

  /** Brings the ports of one Service up to date; returns the keys the datapath has to forget. */
  #recompile(name: string, touched: Set<Port>): readonly ServiceKey[] {
    const service = this.#services.get(name);
    const before = this.#ports.get(name);
    const after = new Map<ServiceKey, Port>();
    if (service && isProxied(service)) {
      const slices = [...(this.#slices.get(name)?.values() ?? [])];
      for (const wanted of compileService(service, slices, this.#nodeName)) {
        after.set(wanted.key, this.#want(before?.get(wanted.key), wanted, service.createdMs, touched));
      }
    }
    if (after.size > 0) this.#ports.set(name, after);
    else this.#ports.delete(name);

    const gone: ServiceKey[] = [];
    for (const [key, port] of before ?? []) {
      if (after.has(key)) continue;
      for (const rival of this.#claims.remove(port)) touched.add(rival);
      port.gone = true;
      gone.push(key);
    }
    return gone;
  }

  /** Claims change only with the Service itself: a change of endpoints never reaches them. */
  #want(existing: Port | undefined, wanted: CompiledService, createdMs: number, touched: Set<Port>): Port {
    const sameClaims = existing?.createdMs === createdMs && sameValue(existing.wanted.frontends, wanted.frontends);
    if (existing && !sameClaims) for (const rival of this.#claims.remove(existing)) touched.add(rival);
    const port: Port = existing ?? { createdMs, wanted, told: undefined, lost: NOTHING, gone: false };
    port.createdMs = createdMs;
    port.wanted = wanted;
    if (!sameClaims) for (const rival of this.#claims.add(port)) touched.add(rival);
    touched.add(port);
    return port;
  }

  /** The service port as it can be served now that all claims are in. */
  #settle(port: Port, warnings: CompileWarning[]): CompiledService {
    const { wanted } = port;
    const lost = new Map<string, ServiceKey>();
    const frontends: Frontend[] = [];
    for (const frontend of wanted.frontends) {
      const holder = this.#claims.holder(port, frontend);
      if (!holder || holder === port) {
        frontends.push(frontend);
        continue;
      }
      const place = placeOf(wanted, frontend);
      lost.set(place, holder.wanted.key);
      if (port.lost.get(place) !== holder.wanted.key) warnings.push(lostWarning(wanted, place, holder.wanted));
    }
    port.lost = lost.size > 0 ? lost : NOTHING;
    return lost.size === 0 ? wanted : { ...wanted, frontends };
  }
}

function placeOf({ protocol, family }: CompiledService, { kind, address, port }: Frontend): string {
  if (address === undefined) return `${kind} ${port}/${protocol} (IPv${family})`;
  return `${kind} ${family === 6 ? `[${address}]` : address}:${port}/${protocol}`;
}

function lostWarning({ namespace, name }: CompiledService, place: string, holder: CompiledService): CompileWarning {
  const winner = `${holder.namespace}/${holder.name}`;
  const message = `Service ${namespace}/${name}: ${place} already belongs to Service ${winner}, the oldest to name it, and is not served for this one: take it out of one of the two`;
  return { namespace, name, message };
}
