// SPDX-License-Identifier: Apache-2.0
// Turns changes of the model into changes of compiled services. No I/O; the work is proportional to the Services that
// a change touches, and what compiles to what it was before is not in the delta.

import { hash } from "node:crypto";
import type { Change, ModelChanges } from "../model/changes.ts";
import { type EndpointSlice, hasZoneHints, serviceOf } from "../model/endpoint-slice.ts";
import { familyOf, type Ip } from "../model/ip.ts";
import type { Node, NodePlace } from "../model/node.ts";
import { sameValue } from "../model/same-value.ts";
import { isProxied, type Service } from "../model/service.ts";
import { type Claimant, type ClaimingService, FrontendClaims } from "./frontend-claims.ts";
import { compileService, schedulerOf } from "./service-port.ts";
import { sourceWarnings } from "./source-filter.ts";
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

/** What there is under one `namespace/name`: a Service, slices, or both. */
interface Known {
  service: Service | undefined;
  slices: readonly EndpointSlice[];
  ports: readonly Port[];
}

/** A service port. Its members are not kept: they would be the second copy of every endpoint of the cluster. */
interface Port extends Claimant {
  readonly of: Known;
  createdMs: number;
  wanted: ClaimingService;
  /** Digest of what the datapath has: what is wanted without the frontends that others hold. */
  told: string | undefined;
  /** Frontends not served, with the key of the service port that holds them: told as warnings. */
  lost: ReadonlyMap<string, ServiceKey>;
  gone: boolean;
}

/** Ports to look at, with what they compile to if that is known already. */
type Touched = Map<Port, CompiledService | undefined>;

export class Compiler {
  #here: NodePlace;
  /** Those whose endpoints have zone hints, as `namespace/name`: this node's zone matters to them alone (row 23). */
  readonly #zoned = new Set<string>();
  /** Those with source ranges: this node's addresses matter to them alone (row 44). */
  readonly #ranged = new Set<string>();
  /** By `namespace/name`. */
  readonly #known = new Map<string, Known>();
  readonly #claims = new FrontendClaims<Port>();
  /** Services whose scheduler is not known, as `namespace/name`. */
  readonly #unknownSchedulers = new Set<string>();
  /** Ports that lack a frontend which another has. */
  readonly #losers = new Set<Port>();
  #localAddresses: ReadonlySet<Ip> = new Set();
  /** Addresses of Services that are not served here, by `namespace/name`. */
  readonly #foreign = new Map<string, readonly Ip[]>();
  /** `namespace/name` of Services to compile anew with the next update. */
  readonly #overdue = new Set<string>();

  /** nodeName: endpoints on this node are local. */
  constructor(nodeName: string) {
    this.#here = { name: nodeName, zone: undefined, addresses: [] };
  }

  /** Services that do not get all they ask for now, as `Service default/web`. */
  get troubled(): ReadonlySet<string> {
    const losers = Array.from(this.#losers, ({ wanted }) => `${wanted.namespace}/${wanted.name}`);
    return new Set([...this.#unknownSchedulers, ...losers].map((name) => `Service ${name}`));
  }

  /**
   * Addresses on interfaces of this node: a ClusterIP among them is left to who listens there, as NodeLocal DNSCache does.
   * Returns whether the next update() has something to do for it.
   */
  setLocalAddresses(addresses: ReadonlySet<Ip>): boolean {
    const before = this.#localAddresses;
    this.#localAddresses = addresses;
    const differs = (ip: Ip) => addresses.has(ip) !== before.has(ip);
    if (![...addresses, ...before].some(differs)) return false;
    for (const [name, { service }] of this.#known) if (service?.clusterIps.some(differs)) this.#overdue.add(name);
    return this.#overdue.size > 0;
  }

  update(changes: ModelChanges): Compiled {
    const warnings: CompileWarning[] = [];
    const foreign = changes.services.map((change) => this.#noteForeign(change)).some(Boolean);
    const dirty = new Set(this.#overdue);
    this.#overdue.clear();
    for (const change of changes.nodes) this.#takeNode(change, dirty);
    for (const change of changes.services) this.#takeService(change, dirty, warnings);
    for (const change of changes.endpointSlices) this.#takeSlice(change, dirty);

    const touched: Touched = new Map();
    const remove: ServiceKey[] = [];
    for (const name of dirty) remove.push(...this.#recompile(name, touched));

    const upsert: CompiledService[] = [];
    for (const [port, compiled] of touched) {
      const wanted = compiled ?? this.#compile(port.of).find(({ key }) => key === port.wanted.key);
      if (port.gone || !wanted) continue;
      const service = this.#settle(port, wanted, warnings);
      const digest = digestOf(service);
      if (digest === port.told) continue;
      port.told = digest;
      upsert.push(service);
    }
    const delta = foreign ? { upsert, remove, foreign: this.foreign } : { upsert, remove };
    return { delta, warnings };
  }

  /** Those that name a Service, be it known or not. */
  *slices(): Iterable<EndpointSlice> {
    for (const { slices } of this.#known.values()) yield* slices;
  }

  /** Addresses of Services that are not served here: another proxy's, most of all (row 1). */
  get foreign(): ReadonlySet<Ip> {
    return new Set([...this.#foreign.values()].flat());
  }

  /** Returns whether that changes any. */
  #noteForeign({ previous, current }: Change<Service>): boolean {
    const object = current ?? previous;
    if (!object) return false;
    const name = [object.namespace, object.name].join("/");
    const before = this.#foreign.get(name) ?? [];
    const after = current ? unserved(current) : [];
    if (after.length > 0) this.#foreign.set(name, after);
    else this.#foreign.delete(name);
    return !sameValue(before, after);
  }

  /** What a Node that is gone last said still counts. */
  #takeNode({ current }: Change<Node>, dirty: Set<string>): void {
    if (current?.name !== this.#here.name) return;
    const { name, zone, addresses } = current;
    if (zone !== this.#here.zone) for (const zoned of this.#zoned) dirty.add(zoned);
    if (!sameValue(addresses, this.#here.addresses)) for (const ranged of this.#ranged) dirty.add(ranged);
    this.#here = { name, zone, addresses };
  }

  #takeService({ previous, current }: Change<Service>, dirty: Set<string>, warnings: CompileWarning[]): void {
    const object = current ?? previous;
    if (!object) return;
    const name = [object.namespace, object.name].join("/");
    dirty.add(name);
    this.#knownAs(name).service = current;
    this.#unknownSchedulers.delete(name);
    if (!current || !isProxied(current)) return;
    const told = previous && isProxied(previous) ? sourceWarnings(previous) : [];
    for (const message of sourceWarnings(current).filter((sentence) => !told.includes(sentence))) {
      warnings.push({ namespace: current.namespace, name: current.name, message });
    }
    if (schedulerOf(current)) return;
    this.#unknownSchedulers.add(name);
    if (current.scheduler !== previous?.scheduler) {
      const message = `Service ${name}: annotation portolan.dev/scheduler: ${JSON.stringify(current.scheduler)} is not known, the default is used: set random or mh`;
      warnings.push({ namespace: current.namespace, name: current.name, message });
    }
  }

  #takeSlice({ previous, current }: Change<EndpointSlice>, dirty: Set<string>): void {
    const before = previous && serviceOf(previous);
    const after = current && serviceOf(current);
    if (previous && before !== undefined) {
      dirty.add(before);
      const known = this.#knownAs(before);
      if (before !== after) known.slices = known.slices.filter(({ name }) => name !== previous.name);
    }
    if (current && after !== undefined) {
      dirty.add(after);
      const known = this.#knownAs(after);
      const place = known.slices.findIndex(({ name }) => name === current.name);
      known.slices = place < 0 ? [...known.slices, current] : known.slices.with(place, current);
    }
  }

  #knownAs(name: string): Known {
    const known = this.#known.get(name) ?? { service: undefined, slices: [], ports: [] };
    this.#known.set(name, known);
    return known;
  }

  #compile({ service, slices }: Known): readonly CompiledService[] {
    return service && isProxied(service) ? compileService(service, slices, this.#here, this.#localAddresses) : [];
  }

  /** Brings the ports of one Service up to date; returns the keys the datapath has to forget. */
  #recompile(name: string, touched: Touched): readonly ServiceKey[] {
    const known = this.#knownAs(name);
    const before = known.ports;
    known.ports = this.#compile(known).map((wanted) => {
      const existing = before.find((port) => port.wanted.key === wanted.key);
      const port = this.#want(existing, wanted, known, touched);
      touched.set(port, wanted);
      return port;
    });
    if (known.slices.some(hasZoneHints)) this.#zoned.add(name);
    else this.#zoned.delete(name);
    if (known.service?.sourceRanges) this.#ranged.add(name);
    else this.#ranged.delete(name);
    if (!known.service && known.slices.length === 0) this.#known.delete(name);

    const gone = before.filter((port) => !known.ports.includes(port));
    for (const port of gone) {
      touch(this.#claims.remove(port), touched);
      port.gone = true;
      this.#losers.delete(port);
    }
    return gone.map((port) => port.wanted.key);
  }

  /** Claims change only with the Service itself: a change of endpoints never reaches them. */
  #want(existing: Port | undefined, compiled: CompiledService, known: Known, touched: Touched): Port {
    const createdMs = known.service?.createdMs ?? Number.POSITIVE_INFINITY;
    if (existing?.createdMs === createdMs && sameValue(existing.wanted.frontends, compiled.frontends)) return existing;
    if (existing) touch(this.#claims.remove(existing), touched);
    const { key, namespace, name, protocol, family, frontends } = compiled;
    const wanted = { key, namespace, name, protocol, family, frontends };
    const port = existing ?? { of: known, createdMs, wanted, told: undefined, lost: NOTHING, gone: false };
    port.createdMs = createdMs;
    port.wanted = wanted;
    touch(this.#claims.add(port), touched);
    return port;
  }

  /** The service port as it can be served now that all claims are in. */
  #settle(port: Port, wanted: CompiledService, warnings: CompileWarning[]): CompiledService {
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
    if (lost.size > 0) this.#losers.add(port);
    else this.#losers.delete(port);
    return lost.size === 0 ? wanted : { ...wanted, frontends };
  }
}

function touch(rivals: readonly Port[], touched: Touched): void {
  for (const rival of rivals) if (!touched.has(rival)) touched.set(rival, undefined);
}

/** Two services of one digest are the same. */
function digestOf(service: CompiledService): string {
  return hash("sha1", JSON.stringify(service), "base64");
}

/** Its addresses, as far as it is not served here (rows 1 and 3), or not in their family (row 6), or not at them (row 26). */
function unserved(service: Service): readonly Ip[] {
  const { clusterIps, externalIps, loadBalancerIps, proxiedIps } = service;
  if (!isProxied(service)) return [...clusterIps, ...externalIps, ...loadBalancerIps, ...proxiedIps];
  const families = new Set(clusterIps.map(familyOf));
  const others = [...externalIps, ...loadBalancerIps].filter((address) => !families.has(familyOf(address)));
  return [...others, ...proxiedIps];
}

function placeOf({ protocol, family }: ClaimingService, { kind, address, port }: Frontend): string {
  if (address === undefined) return `${kind} ${port}/${protocol} (IPv${family})`;
  return `${kind} ${family === 6 ? `[${address}]` : address}:${port}/${protocol}`;
}

function lostWarning({ namespace, name }: ClaimingService, place: string, holder: ClaimingService): CompileWarning {
  const winner = `${holder.namespace}/${holder.name}`;
  const message = `Service ${namespace}/${name}: ${place} already belongs to Service ${winner}, the oldest to name it, and is not served for this one: take it out of one of the two`;
  return { namespace, name, message };
}
