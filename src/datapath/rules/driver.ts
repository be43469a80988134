// SPDX-License-Identifier: Apache-2.0
// The driver of the modes that write rules for netfilter: gathers what is told while a write runs, writes it as one, and looks
// every two seconds whether somebody else has taken it away. How it is said in the kernel's terms is the writer's business.

import type { CompiledService, Delta, ServiceKey } from "../../compile/state.ts";
import type { Cidr, Ip } from "../../model/ip.ts";
import { type ApplyReport, type Datapath, type DeviceChanges, NOTHING_WRITTEN, type NodeAddress } from "../contract.ts";
import { classifyDevices, type DeviceRole, type DeviceRules } from "../devices/classify.ts";
import { LastingRoles } from "../devices/lasting-roles.ts";
import type { NetworkView } from "../network.ts";
import { type LocalSettings, localClients } from "./local-clients.ts";
import type { RuleWriter, Surroundings } from "./writer.ts";

/** Flushed rules are back within five seconds: from look to look. */
const LOOK_MS = 2000;

export interface RuleDriverOptions {
  readonly writer: RuleWriter;
  readonly local: LocalSettings;
  /** Rules of an earlier agent are at work: they stay as they are until the state is complete (row 13). */
  readonly servedBefore: boolean;
  /** Told of a write that had nobody waiting for it and failed; it is tried again. */
  readonly onError: (error: unknown) => void;
  /** Told that rules of ours were gone, and are to be written anew. */
  readonly onHealing: () => void;
  /** UDP services that were written; local: addresses that serve NodePorts. Rejects with NetfilterError. */
  readonly forgetDatagrams: Forget;
  /** Likewise, services of which frontends are new. */
  readonly forgetUntranslated: Forget;
}

type Forget = (services: readonly CompiledService[], local: ReadonlySet<Ip>) => Promise<void>;

/** A write that others wait for. */
interface Turn {
  readonly done: Promise<ApplyReport>;
  readonly resolve: (report: ApplyReport) => void;
  readonly reject: (error: unknown) => void;
}

export class RuleDriver implements Datapath, AsyncDisposable {
  readonly #options: RuleDriverOptions;
  readonly #services = new Map<ServiceKey, CompiledService>();
  readonly #roles = new LastingRoles();
  #lastWritten: Date | undefined;
  /** As the writer was last told; it stays as it is while a write runs. */
  readonly #handed = new Map<ServiceKey, CompiledService>();
  /** As last written. */
  readonly #written = new Map<ServiceKey, CompiledService>();
  #surroundings: Surroundings;
  #localRanges: readonly Cidr[] = [];
  /** Names of devices that lead out of the node, and of those with pods behind them. */
  #uplinks: readonly string[] = [];
  #podDevices: readonly string[] = [];
  /** Differs from what was last written. */
  #changed = new Set<ServiceKey>();
  #surroundingsChanged = true;
  #whole = true;
  /** Of changes that have failed. */
  #failed: ReadonlySet<ServiceKey> = new Set();
  /** What is to be written is known: the state is complete, or nothing served before; and so are the devices. */
  #stateKnown = false;
  #devicesKnown = false;
  /** Written, and what netfilter remembers of them not forgotten yet: stale datagrams, and what was asked too early. */
  readonly #doubted = new Set<ServiceKey>();
  readonly #early = new Set<ServiceKey>();
  #next: Turn | undefined;
  #running: Promise<void> | undefined;
  /** Of what the writer was asked. */
  #last: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  problems = 0;
  readonly adoptedNodePorts: readonly Ip[] = [];
  readonly localRangesKnown = true;

  constructor(options: RuleDriverOptions) {
    this.#options = options;
    this.#surroundings = {
      nodeAddresses: [],
      serviceRanges: [],
      localClients: localClients(options.local, [], []),
      foreign: new Set(),
      partial: true,
    };
    this.#look();
  }

  get mode(): Datapath["mode"] {
    return this.#options.writer.mode;
  }

  get unserved(): ReadonlySet<ServiceKey> {
    return this.#failed;
  }

  get serviceRanges(): readonly Cidr[] {
    return this.#surroundings.serviceRanges;
  }

  /** undefined: not yet. */
  get lastWritten(): Date | undefined {
    return this.#lastWritten;
  }

  /** As last told. */
  get surroundings(): Surroundings {
    return this.#surroundings;
  }

  /** Names of devices with pods behind them, as last told. */
  get podDevices(): readonly string[] {
    return this.#podDevices;
  }

  /** What new connections meet. */
  get inForce(): Iterable<CompiledService> {
    return this.#written.values();
  }

  sync(delta: Delta): Promise<ApplyReport> {
    const wanted = new Set(delta.upsert.map(({ key }) => key));
    const gone = [...this.#services.keys()].filter((key) => !wanted.has(key));
    this.#stateKnown = true;
    return this.apply({ ...delta, remove: gone });
  }

  apply({ upsert, remove, foreign, partial }: Delta): Promise<ApplyReport> {
    for (const service of upsert) this.#services.set(service.key, service);
    for (const key of remove) this.#services.delete(key);
    for (const key of [...upsert.map(({ key: upserted }) => upserted), ...remove]) this.#changed.add(key);
    this.#stateKnown ||= !this.#options.servedBefore;
    this.#note({ ...(foreign && { foreign }), ...(partial !== undefined && { partial }) });
    return this.#stateKnown ? this.#turn() : Promise.resolve(NOTHING_WRITTEN); // what an earlier agent wrote serves
  }

  /** As the writer finds them; none before the first write. */
  async faults(): Promise<readonly string[]> {
    return this.#lastWritten ? await this.#alone(() => this.#options.writer.faults()) : [];
  }

  retry(): Promise<ApplyReport> {
    return this.#turn();
  }

  setNodeAddresses(nodeAddresses: readonly NodeAddress[]): void {
    this.#surround({ nodeAddresses });
  }

  setServiceRanges(serviceRanges: readonly Cidr[]): void {
    this.#surround({ serviceRanges });
  }

  setPodRanges(): void {} // pods are told by localClients alone

  setLocalRanges(ranges: readonly Cidr[]): void {
    this.#localRanges = ranges;
    this.#tellClients();
  }

  /** Rules hang on no device; clients are told by them. */
  attachDevices(network: NetworkView, rules: DeviceRules): DeviceChanges {
    const present = new Set(network.links.map(({ ifindex }) => ifindex));
    this.#roles.keep((ifindex) => present.has(ifindex));
    const devices = [...classifyDevices(network, { ...rules, earlier: this.#roles }).values()];
    for (const { ifindex, name, role } of devices) this.#roles.note(ifindex, name, role, rules);
    const named = (is: (role: DeviceRole) => boolean) => devices.filter(({ role }) => is(role)).map(({ name }) => name);
    this.#uplinks = named(({ uplink }) => uplink);
    this.#podDevices = named(({ uplink, pod, bridge, bridgePort }) => !uplink && (pod || bridge || bridgePort));
    this.#devicesKnown = true;
    this.#tellClients();
    if (this.#due) this.#turn().catch(this.#options.onError);
    return { added: [], changed: [], removed: [], failed: [], graded: [] };
  }

  noteProblems(count: number): void {
    this.problems = count;
  }

  /** The rules stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#running, this.#last]);
  }

  #tellClients(): void {
    this.#surround({ localClients: localClients(this.#options.local, this.#localRanges, this.#uplinks) });
  }

  #surround(change: Partial<Surroundings>): void {
    if (this.#note(change) && this.#known) this.#turn().catch(this.#options.onError);
  }

  /** Returns whether that is anything new. */
  #note(change: Partial<Surroundings>): boolean {
    const after = { ...this.#surroundings, ...change };
    if (textOf(after) === textOf(this.#surroundings)) return false;
    this.#surroundings = after;
    this.#surroundingsChanged = true;
    return true;
  }

  get #known(): boolean {
    return this.#stateKnown && this.#devicesKnown;
  }

  get #due(): boolean {
    return this.#known && (this.#whole || this.#surroundingsChanged || this.#changed.size > 0);
  }

  /** The write that comes next; all that is told before it begins is in it. */
  #turn(): Promise<ApplyReport> {
    this.#next ??= openTurn();
    const { done } = this.#next;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return done;
  }

  async #run(): Promise<void> {
    await nextTick(); // what comes in one go is one write
    while (this.#next && this.#known && !this.#stopped) {
      const turn = this.#next;
      this.#next = undefined;
      await this.#alone(() => this.#write()).then(turn.resolve, turn.reject);
      await this.#forgetStale().catch(this.#options.onError);
    }
  }

  /** Of services that have changed: their datagrams may go to endpoints that they have no more. */
  async #forgetStale(): Promise<void> {
    const { forgetDatagrams, forgetUntranslated } = this.#options;
    await this.#forget(this.#doubted, ({ protocol }) => protocol === "UDP", forgetDatagrams);
    await this.#forget(this.#early, () => true, forgetUntranslated);
  }

  /** A write may add to the keys meanwhile; after a failure they are there again. */
  async #forget(keys: Set<ServiceKey>, concerns: (one: CompiledService) => boolean, forget: Forget): Promise<void> {
    const taken = [...keys];
    keys.clear();
    const services = taken.flatMap((key) => this.#services.get(key) ?? []).filter(concerns);
    if (services.length === 0) return;
    const local = this.#surroundings.nodeAddresses.filter(({ nodePort }) => nodePort);
    try {
      await forget(services, new Set(local.map(({ address }) => address)));
    } catch (error) {
      for (const key of taken) keys.add(key);
      throw error;
    }
  }

  /** The writer does one thing at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.then(
      () => undefined,
      () => undefined, // told to who asked
    );
    return done;
  }

  async #write(): Promise<ApplyReport> {
    const { writer } = this.#options;
    const [changed, surroundingsChanged, whole] = [this.#changed, this.#surroundingsChanged, this.#whole];
    if (!whole && !surroundingsChanged && changed.size === 0) return NOTHING_WRITTEN;
    this.#changed = new Set();
    this.#surroundingsChanged = this.#whole = false;
    bringUp(this.#handed, this.#services, changed);
    const services = this.#handed;
    try {
      const surroundings = this.#surroundings;
      const report = await writer.write({ services, surroundings, changed, surroundingsChanged, whole });
      this.#failed = new Set();
      this.#lastWritten = new Date();
      for (const key of whole ? services.keys() : changed) this.#doubted.add(key);
      for (const key of changed) if (hasNewFrontends(services.get(key), this.#written.get(key))) this.#early.add(key);
      bringUp(this.#written, services, changed);
      return report;
    } catch (error) {
      for (const key of changed) this.#changed.add(key);
      this.#surroundingsChanged ||= surroundingsChanged;
      this.#whole = true;
      this.#failed = new Set(this.#changed);
      throw error;
    }
  }

  #look(): void {
    this.#timer = setTimeout(async () => {
      try {
        await this.#heal();
      } catch (error) {
        this.#options.onError(error);
      }
      if (!this.#stopped) this.#look();
    }, LOOK_MS);
  }

  async #heal(): Promise<void> {
    if (!this.#known || this.#running !== undefined) return;
    if (!this.#whole && !(await this.#alone(() => this.#options.writer.intact()))) {
      this.#options.onHealing();
      this.#whole = true;
    }
    if (this.#due) await this.#turn();
    else await this.#forgetStale();
  }
}

type Services = Map<ServiceKey, CompiledService>;

/** Makes a map say of these keys what the other one says. */
function bringUp(
  services: Services,
  source: ReadonlyMap<ServiceKey, CompiledService>,
  keys: Iterable<ServiceKey>,
): void {
  for (const key of keys) {
    const service = source.get(key);
    if (service) services.set(key, service);
    else services.delete(key);
  }
}

function hasNewFrontends(now: CompiledService | undefined, before: CompiledService | undefined): boolean {
  return now !== undefined && JSON.stringify(now.frontends) !== JSON.stringify(before?.frontends);
}

function openTurn(): Turn {
  let [resolve, reject]: [Turn["resolve"], Turn["reject"]] = [() => undefined, () => undefined];
  const done = new Promise<ApplyReport>((...ends) => {
    [resolve, reject] = ends;
  });
  return { done, resolve, reject };
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function textOf({ foreign, ...rest }: Surroundings): string {
  return JSON.stringify([[...foreign].sort(), rest]);
}
