// SPDX-License-Identifier: Apache-2.0
// Publishes compiled state into the maps: new cells into free space, then one store per service, then frontends, then
// old frontends go, then what nothing names any more waits for an RCU period. A kill at any point leaves whole sets.

import type { CompiledService, Delta, ServiceKey } from "../../compile/state.ts";
import type { Cidr, Ip } from "../../model/ip.ts";
import type { ApplyReport, NodeAddress } from "../contract.ts";
import { type Adopted, adoptServices, discardBroken, retireService } from "./adopt.ts";
import type { Block } from "./blocks.ts";
import { Departures, GRACE_MS } from "./departures.ts";
import { attempt, MapFullError } from "./errors.ts";
import { type FrontendEntry, frontendEntries, type Moved, NOTHING_MOVED, without } from "./frontends.ts";
import { splitLifting } from "./lifting.ts";
import { Reclaimer } from "./reclaim.ts";
import { Refusals } from "./refusals.ts";
import { blockFor, stillUnread, type Unread, unreadOf, withUnread } from "./service-block.ts";
import { checkSize, endsConnections, leavingProtocol, serviceMeta } from "./service-plan.ts";
import { lackOf, throwUnless } from "./shortage.ts";
import type { SocketProtocol } from "./stale-sockets.ts";
import { openStores, type ServiceEntry, type Stores, takeServiceId, type WriterMaps } from "./stores.ts";
import { publishRow } from "./words.ts";
import type { WriterOptions } from "./writer-options.ts";

export class MapWriter implements Disposable {
  readonly stores: Stores;
  readonly #options: WriterOptions;
  readonly #reclaimer: Reclaimer;
  readonly #departures: Departures;
  readonly #services = new Map<ServiceKey, ServiceEntry>();
  /** As they stand in the maps. */
  readonly services: ReadonlyMap<ServiceKey, Pick<ServiceEntry, "id">> = this.#services;
  /** Changes that found no room yet, or failed otherwise. */
  readonly #pending = new Map<ServiceKey, CompiledService>();
  /** Those of them that are served by what they ask for, but without lookup tables. */
  readonly #withoutTables = new Set<ServiceKey>();
  /** What retries in the background have reported already. */
  readonly #told = new Set<string>();
  /** Services that are no longer wanted, until their frontends are gone. */
  readonly #leaving: ServiceEntry[] = [];
  /** onEndpointsLost is due. */
  readonly #endpointsLost = new Set<SocketProtocol>();
  /** A system call failed while frontends were moved. */
  #frontendsBehind = false;
  #adopted: Adopted | undefined;
  /** Of adopted services, until sync(). */
  readonly #unread = new Map<ServiceKey, Unread>();
  /** Since the first sync() what is wanted takes the place of what was adopted. */
  #synced = false;
  /** As the last delta said, or it was none: not all that is wanted is known. */
  #partial = true;
  readonly #refusals: Refusals;

  constructor(maps: WriterMaps, options: WriterOptions) {
    this.#options = options;
    const { rcuSync, onError } = options;
    this.#reclaimer = new Reclaimer({ rcuSync, onError, onReclaimed: () => this.#reclaimed() });
    this.stores = openStores(maps, this.#reclaimer, options.onWrite);
    this.#refusals = new Refusals(this.stores.addresses, this.stores.serviceRanges);
    const { graceMs = GRACE_MS } = options;
    const onDue = (upsert: readonly CompiledService[]) => void this.#change({ upsert, remove: [] });
    this.#departures = new Departures(this.stores.backends, graceMs, { onDue, onError });
  }

  /** Services whose change is not in the maps yet. */
  get pending(): ReadonlyMap<ServiceKey, CompiledService> {
    return this.#pending;
  }

  /** Services that new connections meet as they were before, or not at all. */
  get unserved(): ReadonlySet<ServiceKey> {
    return new Set([...this.#pending.keys()].filter((key) => !this.#withoutTables.has(key)));
  }

  /** What adopt() found inconsistent, in words; sync() takes it away. */
  get warnings(): readonly string[] {
    return this.#adopted?.warnings ?? [];
  }

  /**
   * Reads what an earlier agent left; writes nothing. Once, before anything else. nodeRow is the row of names that its
   * agent_state refers to: it gets a reference.
   */
  adopt(nodeRow = 0): readonly ServiceKey[] {
    this.stores.names.adopt(nodeRow);
    this.stores.addresses.adopt();
    this.#adopted = adoptServices(this.stores, this.#reclaimer);
    for (const [key, entry] of this.#adopted.services) this.#services.set(key, entry);
    this.stores.serviceRanges.adopt();
    return [...this.#services.keys()];
  }

  /** Addresses of a service's Local set that do not terminate. */
  localEndpoints(key: ServiceKey): readonly Ip[] {
    const members = (this.#services.get(key)?.block.local ?? []).map((id) => this.stores.backends.member(id));
    return members.filter(({ terminating }) => !terminating).map(({ address }) => address);
  }

  /** Like apply(); what the maps hold beyond it goes away. Errors as of apply(). */
  sync(delta: Delta): ApplyReport {
    this.#synced = true;
    this.#partial = delta.partial === true;
    this.#unread.clear();
    const wanted = new Set(delta.upsert.map((service) => service.key));
    const gone = [...this.#services.keys()].filter((key) => !wanted.has(key));
    try {
      return this.#change({ foreign: new Set(), ...delta, remove: gone });
    } finally {
      if (this.#adopted) discardBroken(this.stores, this.#reclaimer, this.#adopted);
      this.stores.cells.serviceMeta.unmap();
      this.#reclaimer.start();
    }
  }

  /**
   * Publishes a change. A service that does not fit keeps what it had: if space is about to become free the change is
   * retried then, else its MapFullError (several: an AggregateError) is thrown after everything else was published.
   */
  apply(delta: Delta): ApplyReport {
    this.#partial = delta.partial === true || !this.#synced;
    return this.#change(delta);
  }

  /** Tries again what failed before. Errors as of apply(). */
  retry(): ApplyReport {
    return this.#change({ upsert: [...this.#pending.values()], remove: [] });
  }

  setNodeAddresses(addresses: readonly NodeAddress[]): void {
    this.#refusals.setNodeAddresses(addresses);
  }

  /** Throws TooManyRangesError when those are in force that there is room for. */
  setServiceRanges(ranges: readonly Cidr[]): void {
    this.#refusals.setRanges(ranges);
  }

  /** Resolves when nothing waits for an RCU period any more. */
  drained(): Promise<void> {
    return this.#reclaimer.drained();
  }

  [Symbol.dispose](): void {
    this.#departures[Symbol.dispose]();
    this.#reclaimer.close();
  }

  #change({ upsert, remove, foreign }: Delta): ApplyReport {
    const written = this.stores.backends.written;
    const failures: unknown[] = [];
    this.#refusals.begin(foreign, this.#partial);
    for (const key of remove) this.#forget(key);
    const { lifting, others, gone, taken } = splitLifting(this.stores, this.#services, this.#withOverdue(upsert));
    const { changed, stale, servicesWritten } = this.#publishAll(others, failures);
    for (const entry of this.#leaving) stale.push(...entry.frontends);
    if (this.#synced) stale.push(...(this.#adopted?.orphans ?? []));
    const moved = this.#tryMoveFrontends(changed, [...without(stale, taken), ...gone], failures);
    const late = this.#publishLifting(lifting, stale, failures);
    this.#refusals.end(foreign, this, this.#frontendsBehind, failures);
    const leaving = this.#frontendsBehind ? [] : this.#leaving.splice(0);
    for (const entry of leaving) this.#withdraw(entry, failures);
    const retried = this.#reclaimer.pending;
    this.#reclaimer.start();
    for (const protocol of this.#endpointsLost) this.#options.onEndpointsLost?.(protocol);
    this.#endpointsLost.clear();
    throwUnless(failures, retried);
    const backendsWritten = this.stores.backends.written - written;
    return {
      servicesWritten: servicesWritten + late.servicesWritten,
      servicesRemoved: leaving.length,
      frontendsWritten: moved.frontendsWritten + late.frontendsWritten,
      frontendsRemoved: moved.frontendsRemoved + late.frontendsRemoved,
      backendsWritten,
    };
  }

  /** While the frontends are behind, what failed comes with every change: a removed service's may be theirs now. */
  #withOverdue(upserts: readonly CompiledService[]): readonly CompiledService[] {
    if (!this.#frontendsBehind) return upserts;
    return [...new Map([...this.#pending, ...upserts.map((service) => [service.key, service] as const)]).values()];
  }

  /** Services whose frontends had to go first, and not before they have. stale: of others, which these may take over. */
  #publishLifting(lifting: readonly CompiledService[], stale: readonly FrontendEntry[], failures: unknown[]): Late {
    if (lifting.length === 0 || this.#frontendsBehind) {
      for (const service of lifting) this.#waits(service);
      return { ...NOTHING_MOVED, servicesWritten: 0 };
    }
    const { changed, stale: own, servicesWritten } = this.#publishAll(lifting, failures);
    return { ...this.#tryMoveFrontends(changed, [...stale, ...own], failures), servicesWritten };
  }

  /** Publishes each service's block; its frontends are left to #moveFrontends. */
  #publishAll(upserts: readonly CompiledService[], failures: unknown[]): Published {
    const changed: CompiledService[] = [];
    const stale: FrontendEntry[] = [];
    let servicesWritten = 0;
    for (const wanted of upserts) {
      const before = this.#services.get(wanted.key);
      const known = withUnread(wanted, this.#stillUnread(wanted, before));
      const service = this.#departures.hold(wanted, known, before?.block);
      this.#pending.delete(service.key);
      this.#withoutTables.delete(service.key);
      try {
        const entry = this.#publish(service, before);
        const lack = lackOf(this.stores, service, entry.block);
        if (lack) {
          failures.push(lack.error);
          this.#waits(wanted);
          if (lack.served) this.#withoutTables.add(service.key);
        }
        if (entry === before) continue;
        this.#services.set(service.key, entry);
        changed.push(wanted);
        this.#noteLost(service, before?.block, entry.block);
        if (entry.block !== before?.block || entry.type !== before.type) servicesWritten++;
        if (before) stale.push(...without(before.frontends, entry.frontends));
      } catch (error) {
        const full = error instanceof MapFullError;
        failures.push(full ? error.neededBy(service.key) : error);
        this.#waits(wanted);
      }
    }
    return { changed, stale, servicesWritten };
  }

  /** Until sync() an endpoint that is missing of an adopted service may only not have been read yet. */
  #stillUnread(service: CompiledService, before: ServiceEntry | undefined): Unread {
    if (this.#synced || !before || this.#adopted?.services.has(service.key) !== true) return new Map();
    const known = this.#unread.get(service.key);
    const unread = known ? stillUnread(service, known) : unreadOf(this.stores, service, before.block);
    this.#unread.set(service.key, unread);
    return unread;
  }

  #noteLost(service: CompiledService, before: Block | undefined, now: Block): void {
    const protocol = leavingProtocol(service);
    if (protocol === "TCP" && !(before && endsConnections(before))) return; // it ends none from before
    if (protocol && this.stores.backends.anyGone(before, now)) this.#endpointsLost.add(protocol);
  }

  /** The service's new entry with its block in force; the very same entry when nothing is to be done. */
  #publish(service: CompiledService, before: ServiceEntry | undefined): ServiceEntry {
    checkSize(service);
    const { cells, blocks, serviceIds, frontends: table } = this.stores;
    const id = before?.id ?? takeServiceId(this.stores, service.key);
    let block: Block | undefined;
    try {
      const meta = serviceMeta(service);
      block = blockFor(this.stores, service, id, before?.block);
      const frontends = frontendEntries(service, id);
      if (block === before?.block && meta.type === before.type && table.inForce(before.frontends, frontends))
        return before;
      if (meta.type !== before?.type) {
        cells.serviceMeta.write(id, meta);
      }
      if (block !== before?.block) publishRow(cells.services, id, block.row);
      if (before && block !== before.block) blocks.retire(before.block);
      return { id, type: meta.type, block, frontends };
    } catch (error) {
      if (block !== undefined && block !== before?.block) blocks.discard(block);
      if (before === undefined) {
        serviceIds.release(id);
        cells.serviceMeta.clear(id);
      }
      throw error;
    }
  }

  /** After a system call that failed, what is stale is found by comparing the whole map with all that is wanted. */
  #tryMoveFrontends(changed: readonly CompiledService[], stale: readonly FrontendEntry[], failures: unknown[]): Moved {
    const wanted = () => [...this.#services.values()].flatMap(({ frontends }) => frontends);
    try {
      this.#refusals.announce();
      const behind = this.#frontendsBehind ? this.stores.frontends.besides(wanted()) : [];
      const moved = this.#moveFrontends(changed, [...behind, ...without(stale, behind)], failures);
      this.#frontendsBehind = false;
      return moved;
    } catch (error) {
      failures.push(error);
      for (const service of changed) this.#waits(service);
      this.#frontendsBehind = true;
      return NOTHING_MOVED;
    }
  }

  #moveFrontends(changed: readonly CompiledService[], stale: readonly FrontendEntry[], failures: unknown[]): Moved {
    const table = this.stores.frontends;
    const entries = changed.flatMap((service) => this.#services.get(service.key)?.frontends ?? []);
    const { left, ...moved } = table.move(entries, stale);
    if (left.size > 0) {
      failures.push(new MapFullError("frontends", table.size, `${left.size} services' addresses`));
      for (const service of changed) {
        if (left.has(this.#services.get(service.key)?.id ?? 0)) this.#waits(service);
      }
    }
    return moved;
  }

  #waits(service: CompiledService): void {
    this.#pending.set(service.key, service);
    this.#withoutTables.delete(service.key);
  }

  #forget(key: ServiceKey): void {
    this.#pending.delete(key);
    this.#withoutTables.delete(key);
    this.#departures.forget(key);
    const entry = this.#services.get(key);
    this.#services.delete(key);
    if (entry) this.#leaving.push(entry);
  }

  /**
   * After its frontends are gone, or another's. Nobody sees the service any more but a packet that still holds one of
   * them: that finds its block until an RCU period has ended.
   */
  #withdraw(entry: ServiceEntry, failures: unknown[]): void {
    const { cells, blocks } = this.stores;
    this.#reclaimer.retire(() => {
      publishRow(cells.services, entry.id, 0);
      blocks.retire(entry.block);
      retireService(this.stores, this.#reclaimer, entry.id);
    });
    attempt(failures, () => cells.serviceMeta.clear(entry.id));
  }

  #reclaimed(): void {
    this.stores.serviceStats.flush();
    this.stores.backendStats.flush();
    if (this.#pending.size === 0) return;
    try {
      this.retry();
      this.#told.clear();
    } catch (error) {
      if (this.#told.has(String(error))) return;
      this.#told.add(String(error));
      this.#options.onError(error);
    }
  }
}

interface Published {
  /** Services with a new entry. */
  readonly changed: readonly CompiledService[];
  /** Frontends their old entries had and the new ones have not. */
  readonly stale: FrontendEntry[];
  readonly servicesWritten: number;
}

type Late = Moved & Pick<Published, "servicesWritten">;
