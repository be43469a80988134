// SPDX-License-Identifier: Apache-2.0
// A small HTTP server of the agent's own: a few paths, GET and HEAD, little room for clients that mean no good. What
// cannot listen is said once and tried again (behaviour row 71): nothing that serves traffic ends for it.

import type { IncomingMessage } from "node:http";
import { type HttpAnswer, methodNotAllowed, textAnswer } from "./answer.ts";
import type { HealthLog } from "./health-servers.ts";
import { HttpListener } from "./listener.ts";

/** As kube-proxy waits. */
const RETRY_MS = 5000;
/** At the end, for requests that have begun. */
const GRACE_MS = 500;
const MAX_CONNECTIONS = 256;
/** A request's head has to come within headersTimeout; whoever probes each minute keeps its connection. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 90_000 };

/** For who asks and does not read. */
const INACTIVITY_MS = 30_000;

export interface BindAddress {
  /** An IP literal; a wildcard of either family takes both, as with Go. */
  readonly host: string;
  /** 1..65535 */
  readonly port: number;
}

/** By path, the query left out. */
export type Routes = Readonly<Record<string, (request: RouteRequest) => HttpAnswer | Promise<HttpAnswer>>>;

export type RouteRequest = Pick<IncomingMessage, "url" | "headers">;

export interface RouteServerOptions {
  /** The flag or field that says where, for messages. */
  readonly setting: string;
  readonly bind: BindAddress;
  readonly routes: Routes;
  readonly log: HealthLog;
  /** Told when it cannot listen, and again when that has another reason. */
  readonly onFailure: (error: Error) => void;
  /** Told instead of the log when it cannot listen, which is not tried again then (kube-proxy's bindAddressHardFail). */
  readonly onHardFailure?: (error: Error) => void;
}

export class RouteServer implements AsyncDisposable {
  readonly #options: RouteServerOptions;
  #listener: HttpListener | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** As it was last told; undefined: it listens, or nothing was tried yet. */
  #failure: string | undefined;
  /** The wildcard of both families needs the kernel's IPv6. */
  #host: string;

  constructor(options: RouteServerOptions) {
    this.#options = options;
    const { host } = options.bind;
    this.#host = host === "0.0.0.0" ? "::" : host;
    this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry);
    const listener = this.#listener;
    if (!listener) return;
    listener.close();
    const timer = setTimeout(() => listener.cut(), GRACE_MS);
    await listener.closed;
    clearTimeout(timer);
  }

  #open(): void {
    const { bind, setting, log } = this.#options;
    this.#listener = new HttpListener({
      address: this.#host,
      port: bind.port,
      bothFamilies: this.#host === "::",
      maxConnections: MAX_CONNECTIONS,
      limits: LIMITS,
      inactivityMs: INACTIVITY_MS,
      answer: (request) => this.#answer(request),
      onListening: () => {
        if (this.#failure !== undefined) log.info(`${setting} ${formatBindAddress(bind)} is answered now`);
        this.#failure = undefined;
      },
      onError: (error) => this.#failed(error),
    });
  }

  #failed(error: NodeJS.ErrnoException): void {
    const { bind, setting, log, onFailure, onHardFailure } = this.#options;
    this.#listener = undefined;
    if (bind.host === "0.0.0.0" && this.#host === "::" && error.code === "EAFNOSUPPORT") {
      this.#host = bind.host;
      this.#open();
      return;
    }
    const message = `${setting} ${formatBindAddress(bind)} cannot be answered: ${error.message}`;
    if (message !== this.#failure) onFailure(new Error(message, { cause: error }));
    if (onHardFailure) {
      onHardFailure(new Error(message, { cause: error }));
      return;
    }
    this.#retry = setTimeout(() => this.#open(), RETRY_MS);
    if (message === this.#failure) return;
    this.#failure = message;
    log.warn(`${message}: it is tried again every ${RETRY_MS / 1000} s; free the port or name another`);
  }

  async #answer(request: IncomingMessage): Promise<HttpAnswer> {
    const { method, url = "" } = request;
    const path = url.split("?", 1)[0] ?? "";
    const route = Object.hasOwn(this.#options.routes, path) ? this.#options.routes[path] : undefined;
    if (!route) return textAnswer(404, "404 page not found\n", new Date());
    if (method !== "GET" && method !== "HEAD") return methodNotAllowed(new Date());
    try {
      return await route(request);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(`${path} of ${this.#options.setting} could not be answered: ${reason}`);
      return textAnswer(500, `${reason}\n`, new Date());
    }
  }
}

/** `a.b.c.d:port` or `[v6]:port`. */
export function formatBindAddress({ host, port }: BindAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
