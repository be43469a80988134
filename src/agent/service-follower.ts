// SPDX-License-Identifier: Apache-2.0
// The way of a change: model → compile → datapath. Nothing that arrives here ends the agent, and nothing is lost: what
// could not be published is tried again until it is, or until a later change supersedes it.

import { Compiler } from "../compile/compiler.ts";
import type { CompiledService, Delta, ServiceKey } from "../compile/state.ts";
import type { ApplyReport, Datapath } from "../datapath/contract.ts";
import { NO_OBSERVER, type SyncObserver } from "../metrics/sync-observer.ts";
import { type ModelChanges, NO_CHANGES } from "../model/changes.ts";
import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Family, Ip } from "../model/ip.ts";
import { Attempt, FAMILIES, familiesOf } from "./attempt.ts";
import type { Log } from "./log.ts";
import { Retry } from "./retry.ts";

const REFUSES_NOTHING = "until it can nothing is refused that may be a Service's";
const HALF_KNOWN = `not all could be read: ${REFUSES_NOTHING}`;
const HALF_KNOWN_SERVES = `not all could be read: what an earlier agent served stays, unless it is known better; ${REFUSES_NOTHING}`;

/** So long a change may wait to be published before health checks say so (kube-proxy: two sync periods). */
const OVERDUE_MS = 60_000;

/** What an earlier agent left: it serves until the state is known to be without it. */
export interface EarlierServices {
  /** Whether it left any at all. */
  readonly any: boolean;
  /** Those known by name. */
  readonly keys: readonly ServiceKey[];
}

type Published = Pick<Datapath, "sync" | "apply" | "retry" | "unserved">;

export class ServiceFollower implements Disposable {
  readonly #compiler: Compiler;
  readonly #datapath: Published;
  readonly #log: Log;
  /** Services that an earlier agent left, until an endpoint of theirs is known. */
  readonly #unknown: Set<ServiceKey>;
  readonly #adoptedAny: boolean;
  /** Of the services that are not served here; told anew with the first complete state. */
  #foreign: ReadonlySet<Ip> = new Set();
  /** As the source last said. */
  #synced = false;
  /** As of update(). */
  #sure = true;
  /** As the datapath was last told. */
  #partial = false;
  /** Said so, while the state is not complete. */
  #warned = false;
  #begun = false;
  #told = false;
  #onPublished: () => void = () => undefined;
  readonly #published: Promise<void> = new Promise((resolve) => {
    this.#onPublished = resolve;
  });
  /** What was applied before the state was complete; undefined once it is. */
  #untilSynced: Map<ServiceKey, CompiledService> | undefined = new Map();
  readonly #retry: Retry;
  /** Since when services wait for their state to be published, performance.now(). */
  readonly #waitingSinceMs = new Map<ServiceKey, number>();
  /** Since when the kernel refuses changes of the family, whichever they are, performance.now(). */
  readonly #refusingSinceMs = new Map<Family, number>();
  readonly #observer: SyncObserver;

  constructor(
    nodeName: string,
    datapath: Published,
    { keys, any }: EarlierServices,
    log: Log,
    observer: SyncObserver = NO_OBSERVER,
  ) {
    this.#observer = observer;
    this.#unknown = new Set(keys);
    this.#adoptedAny = any;
    this.#compiler = new Compiler(nodeName);
    this.#datapath = datapath;
    this.#log = log;
    this.#retry = new Retry(log, "a change could not be published, it is tried again");
  }

  /**
   * What the datapath is told it is told before the call returns. Resolves, never rejects, once it is in force or has failed.
   * sure: all that was read could be; if not, a port that is not known may be one all the same, and none is refused.
   */
  async update(changes: ModelChanges, sure: boolean = this.#sure): Promise<void> {
    this.#told = true;
    this.#synced = changes.synced;
    this.#sure = sure;
    this.#observer.queued(changes);
    const attempt = new Attempt();
    try {
      const { delta, warnings } = this.#compiler.update(changes);
      for (const { message } of warnings) this.#log.warn(message);
      attempt.compiled(delta);
      const report = await this.#publish(delta);
      this.#log.debug({ ...report, tookMs: Math.round(attempt.publishMs * 1000) / 1000 }, "state published");
    } catch (error) {
      attempt.failed(error);
      this.#retry.failed("changes", error, () => this.#publishRest());
    }
    this.#settle(attempt);
  }

  /** Services that do not get all they ask for now, as `Service default/web`. */
  get troubled(): ReadonlySet<string> {
    return this.#compiler.troubled;
  }

  /** Those that may hold endpoints of a Service, as of the last update(). */
  get slices(): Iterable<EndpointSlice> {
    return this.#compiler.slices();
  }

  /** False: for a minute now, new connections have not met what the Service asks for. */
  isServed(namespace: string, name: string): boolean {
    const prefix = `${namespace}/${name}:`;
    const now = performance.now();
    return ![...this.#datapath.unserved].some(
      (key) => key.startsWith(prefix) && now - (this.#waitingSinceMs.get(key) ?? now) >= OVERDUE_MS,
    );
  }

  /** The first state that may take away what an earlier agent left was published. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Some state has come from the source. */
  get told(): boolean {
    return this.#told;
  }

  /** Resolves once a state is in force, be it what an earlier agent left and nothing contradicts. */
  get published(): Promise<void> {
    return this.#published;
  }

  /** False: for a minute now the kernel has refused changes of the family. One Service without room is no such thing. */
  keepsUp(family: Family): boolean {
    const since = this.#refusingSinceMs.get(family);
    return since === undefined || performance.now() - since < OVERDUE_MS;
  }

  /** Addresses on interfaces of this node. */
  setLocalAddresses(addresses: ReadonlySet<Ip>): void {
    if (this.#compiler.setLocalAddresses(addresses)) void this.update({ ...NO_CHANGES, synced: this.#synced });
  }

  [Symbol.dispose](): void {
    this.#retry[Symbol.dispose]();
  }

  /** The first complete state takes away what an earlier agent left and nobody asks for any more. */
  #publish(delta: Delta): Promise<ApplyReport> {
    const before = this.#untilSynced;
    const partial = !(this.#synced && this.#sure);
    this.#foreign = delta.foreign ?? this.#foreign;
    const told = { ...delta, partial, ...(this.#partial && { foreign: this.#foreign }) };
    if (!this.#synced && !this.#warned) this.#log.warn(this.#adoptedAny ? HALF_KNOWN_SERVES : HALF_KNOWN);
    this.#warned = !this.#synced;
    this.#partial = partial;
    if (!before) return this.#datapath.apply(told);
    for (const key of delta.remove) before.delete(key);
    for (const service of delta.upsert) before.set(service.key, service);
    if (!this.#synced && this.#adoptedAny) {
      return this.#datapath.apply({ ...told, upsert: delta.upsert.filter((service) => !this.#isHalfKnown(service)) });
    }
    this.#untilSynced = undefined;
    return this.#datapath.sync({ upsert: [...before.values()], remove: [], foreign: this.#foreign, partial });
  }

  /**
   * It served, and no endpoint of it was known since: until the state is complete, because its slices are not read yet.
   * One whose endpoints were known, and went, has none.
   */
  #isHalfKnown({ key, hasAnyEndpoints }: CompiledService): boolean {
    if (hasAnyEndpoints) this.#unknown.delete(key);
    return this.#unknown.has(key);
  }

  async #publishRest(): Promise<void> {
    const attempt = new Attempt();
    try {
      this.#log.info(await this.#datapath.retry(), "what could not be published before is published");
    } catch (error) {
      attempt.failed(error);
      throw error;
    } finally {
      this.#settle(attempt);
    }
  }

  #settle(attempt: Attempt): void {
    const waited = familiesOf(this.#waitingSinceMs.keys());
    this.#noteWaiting();
    this.#noteRefusing(attempt);
    this.#observer.settled(attempt.outcome(waited, this.#refusingSinceMs.size === 0));
    if (attempt.failure === "kernel") return;
    this.#begun ||= this.#untilSynced === undefined;
    this.#onPublished();
  }

  /** An earlier refusal stands until a retry is through, or nothing waits any more. */
  #noteRefusing({ delta, failure }: Attempt): void {
    const waiting = familiesOf(this.#datapath.unserved);
    const families = failure !== "kernel" ? new Set<Family>() : waiting.size > 0 ? waiting : FAMILIES;
    const throughAll = delta === undefined || waiting.size === 0;
    if (families.size === 0 && !throughAll) return;
    for (const family of FAMILIES) if (!families.has(family)) this.#refusingSinceMs.delete(family);
    for (const family of families) {
      if (!this.#refusingSinceMs.has(family)) this.#refusingSinceMs.set(family, performance.now());
    }
  }

  #noteWaiting(): void {
    const { unserved } = this.#datapath;
    for (const key of this.#waitingSinceMs.keys()) if (!unserved.has(key)) this.#waitingSinceMs.delete(key);
    for (const key of unserved) {
      if (!this.#waitingSinceMs.has(key)) this.#waitingSinceMs.set(key, performance.now());
    }
  }
}
