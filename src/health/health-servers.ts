// SPDX-License-Identifier: Apache-2.0
// The HTTP servers behind healthCheckNodePort (behaviour rows 66 and 67): one for each Service, family and address that
// serves NodePorts. What cannot listen is said once, by Service and port, and tried again.

import type { OnEvent } from "../model/cluster-event.ts";
import type { Family } from "../model/ip.ts";
import { healthAnswer } from "./answer.ts";
import type { HealthCheck } from "./health-checks.ts";
import { HttpListener } from "./listener.ts";

const RETRY_MS = 1000;
/** At the end, for requests that have begun. */
const GRACE_MS = 500;

export interface HealthServersOptions {
  /** Whether new connections to the Service meet what it asks for. */
  readonly isServed: (namespace: string, name: string) => boolean;
  readonly log: HealthLog;
  readonly onEvent: OnEvent;
}

export interface HealthLog {
  info(message: string): void;
  warn(message: string): void;
}

/** Where to listen, by family: IP literals, or the wildcard alone. */
export type HealthPlaces = ReadonlyMap<Family, readonly string[]>;

interface Served {
  check: HealthCheck;
  /** By address. */
  readonly listeners: Map<string, HttpListener>;
  /** Why it does not listen there, as it was told; by address. */
  readonly failures: Map<string, string>;
}

export class HealthServers implements AsyncDisposable {
  readonly #options: HealthServersOptions;
  /** By `namespace/name`. */
  readonly #served = new Map<string, Served>();
  /** Closed, with requests that have begun. */
  readonly #ending = new Set<HttpListener>();
  #places: HealthPlaces = new Map();
  #retry: NodeJS.Timeout | undefined;

  constructor(options: HealthServersOptions) {
    this.#options = options;
  }

  /** checks: by `namespace/name`, those that changed; undefined: not health-checked any more. */
  update(checks: ReadonlyMap<string, HealthCheck | undefined>): void {
    // A port may go from one Service to another: all that close come first.
    for (const [key, check] of checks) this.#take(key, check);
    for (const key of checks.keys()) this.#reconcile(this.#served.get(key));
  }

  /** Replaces the addresses to listen on. */
  listenOn(places: HealthPlaces): void {
    this.#places = places;
    for (const served of this.#served.values()) this.#reconcile(served);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listenOn(new Map());
    clearTimeout(this.#retry);
    const ending = [...this.#ending];
    const timer = setTimeout(() => {
      for (const listener of ending) listener.cut();
    }, GRACE_MS);
    await Promise.all(ending.map(({ closed }) => closed));
    clearTimeout(timer);
  }

  #take(key: string, check: HealthCheck | undefined): void {
    const served = this.#served.get(key);
    if (served && served.check.port !== check?.port) {
      for (const address of served.listeners.keys()) this.#close(served, address);
      served.failures.clear();
    }
    if (!check) this.#served.delete(key);
    else if (served) served.check = check;
    else this.#served.set(key, { check, listeners: new Map(), failures: new Map() });
  }

  #reconcile(served: Served | undefined): void {
    if (!served) return;
    const wanted = new Map<string, Family>();
    for (const family of served.check.localEndpoints.keys()) {
      for (const address of this.#places.get(family) ?? []) wanted.set(address, family);
    }
    for (const address of served.listeners.keys()) if (!wanted.has(address)) this.#close(served, address);
    for (const address of served.failures.keys()) if (!wanted.has(address)) served.failures.delete(address);
    for (const [address, family] of wanted) if (!served.listeners.has(address)) this.#open(served, address, family);
  }

  #open(served: Served, address: string, family: Family): void {
    const { namespace, name, port } = served.check;
    const place = `Service ${namespace}/${name}: healthCheckNodePort ${port}`;
    const listener = new HttpListener({
      address,
      port,
      answer: () => {
        const localEndpoints = served.check.localEndpoints.get(family) ?? 0;
        return healthAnswer(
          { namespace, name, localEndpoints, healthy: this.#options.isServed(namespace, name) },
          new Date(),
        );
      },
      onListening: () => {
        if (served.failures.delete(address)) this.#options.log.info(`${place} is answered on ${address} now`);
      },
      onError: (error) => {
        served.listeners.delete(address);
        this.#retryLater();
        if (served.failures.get(address) === error.message) return;
        served.failures.set(address, error.message);
        const advice = error.code === "EADDRINUSE" ? "free the port or give the Service another" : "it is tried again";
        const note = `${place} cannot be answered on ${address}: ${error.message}`;
        this.#options.log.warn(`${note}: ${advice}`);
        const reason = "FailedToStartServiceHealthcheck";
        this.#options.onEvent({ regarding: { namespace, name }, type: "Warning", reason, action: "Listen", note });
      },
    });
    served.listeners.set(address, listener);
  }

  #close(served: Served, address: string): void {
    const listener = served.listeners.get(address);
    if (!listener) return;
    served.listeners.delete(address);
    this.#ending.add(listener);
    void listener.closed.then(() => this.#ending.delete(listener));
    listener.close();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      for (const served of this.#served.values()) if (served.failures.size > 0) this.#reconcile(served);
    }, RETRY_MS);
  }
}
