// SPDX-License-Identifier: Apache-2.0
// Keeps one kind of objects in step with an API server, after client-go's tools/cache/reflector.go: the whole state by
// watch-list (KEP-3157) where the server has it, by a paginated list where not, then every change by watch.

import type { ReflectorCounts } from "../../model/api-activity.ts";
import { ReflectorActivity } from "./activity.ts";
import { Backoff, type Pause, pause } from "./backoff.ts";
import { type Answer, type ApiClient, type ReadVerb, readAll } from "./client.ts";
import type { ApiStatus, ApiValue, WatchEvent } from "./decode.ts";
import { ApiFailure, answerFailure } from "./failure.ts";
import type { Resource } from "./resources.ts";

/** The server ends a watch after this and up to as much again by chance, so that not all come back at once. */
const WATCH_SECONDS = 300;
const PAGE_ITEMS = 500;
/** Of one page, or of a list from a server that gives no pages. */
const MAX_LIST_BYTES = 1 << 30;
/** A server that is not there is not burdened by a try, and what it says when it comes back is waited for. */
const AWAY_MS = 5_000;
/** What went on for so long went well: a balancer that cuts every minute is no server in trouble. */
const HEALTHY_MS = 30_000;
/** A watch that ends sooner and brought nothing is no watch. */
const SHORT_WATCH_MS = 1000;

/** What a reflector tells. Calls never overlap. */
export interface ReflectorSink {
  /** The whole state begins anew; what was told of one that was not committed is void. */
  begin(): void;
  put(object: ApiValue): void;
  remove(object: ApiValue): void;
  /** The whole state has been told: what was not put since begin() is gone. */
  commit(): void;
  /** What came together has been told. */
  flush(): void;
  /** It will be tried again; what was told goes on to count. undefined: all is well again. */
  failed(failure: ApiFailure | undefined): void;
}

export interface ReflectorOptions {
  readonly resource: Resource;
  readonly client: Pick<ApiClient, "get">;
  readonly sink: ReflectorSink;
  /** 0 to less than 1. */
  readonly random?: () => number;
  readonly pause?: Pause;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

export class Reflector {
  readonly #resource: Resource;
  readonly #client: Pick<ApiClient, "get">;
  readonly #sink: ReflectorSink;
  readonly #random: () => number;
  readonly #pause: Pause;
  readonly #now: () => number;
  /** For a server that answers, and for one that is not there: back after an hour, it may not know our rights yet. */
  readonly #backoff: Backoff;
  readonly #awayBackoff: Backoff;
  readonly #activity: ReflectorActivity;
  /** Of the last object or bookmark; undefined: the whole state has to be asked for. */
  #version: string | undefined;

  constructor({ resource, client, sink, random = Math.random, now = monotonicMs, ...options }: ReflectorOptions) {
    this.#resource = resource;
    this.#client = client;
    this.#sink = sink;
    this.#random = random;
    this.#pause = options.pause ?? pause;
    this.#now = now;
    this.#backoff = new Backoff(random, now);
    this.#awayBackoff = new Backoff(random, now, AWAY_MS);
    this.#activity = new ReflectorActivity(now);
  }

  get counts(): ReflectorCounts {
    return this.#activity.counts(this.#resource.plural, this.#version);
  }

  /** Resolves once stop is aborted, and never rejects for anything a server does. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const begunMs = this.#now();
      const failure = await this.#attempt(stop);
      if (stop.aborted) return;
      if (!failure) continue;
      // Without the version, or with an answer that makes no sense, nothing that is known can be built upon.
      if (failure.kind === "expired" || failure.kind === "protocol") this.#version = undefined;
      this.#sink.failed(failure);
      const backoff = failure.kind === "unreachable" ? this.#awayBackoff : this.#backoff;
      if (this.#now() - begunMs >= HEALTHY_MS) for (const one of [this.#backoff, this.#awayBackoff]) one.reset();
      const waitMs = Math.max(backoff.next(), failure.retryAfterMs);
      await this.#pause(waitMs, stop);
    }
  }

  /** Until a watch ends; undefined: in the ordinary way. */
  async #attempt(stop: AbortSignal): Promise<ApiFailure | undefined> {
    const request = new AbortController();
    const abort = () => request.abort();
    stop.addEventListener("abort", abort, { once: true });
    try {
      if (this.#version !== undefined || !(await this.#watchList(request.signal))) await this.#watch(request.signal);
      return undefined;
    } catch (error) {
      if (error instanceof ApiFailure || stop.aborted) return error as ApiFailure;
      throw error;
    } finally {
      stop.removeEventListener("abort", abort);
      request.abort(); // an answer that is not read to its end keeps no connection
    }
  }

  /** False: the server does not know it, so that the state came by a list. */
  async #watchList(signal: AbortSignal): Promise<boolean> {
    try {
      const answer = await this.#ask("watch", { ...this.#watchQuery(), ...WATCH_LIST }, signal);
      this.#sink.begin();
      await this.#follow(answer, true);
      return true;
    } catch (error) {
      if (!(error instanceof ApiFailure && error.kind === "unsupported")) throw error;
      await this.#list(signal);
      return false;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const begunMs = this.#now();
    const from = this.#version ?? "";
    const answer = await this.#ask("watch", { ...this.#watchQuery(), resourceVersion: from }, signal);
    this.#sink.failed(undefined);
    await this.#follow(answer, false);
    if (this.#version !== from || this.#now() - begunMs >= SHORT_WATCH_MS) return;
    throw new ApiFailure("busy", "the API server ends the watch as soon as it has begun");
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#sink.begin();
    let limit: Readonly<Record<string, string>> = { limit: String(PAGE_ITEMS) };
    let next = "";
    let version: string | undefined;
    do {
      const query = next === "" ? limit : { ...limit, continue: next };
      let answer: Answer;
      try {
        answer = await this.#ask("list", query, signal);
      } catch (error) {
        if (!(error instanceof ApiFailure && error.kind === "expired" && next !== "")) throw error;
        // The state from which the pages came is gone before the last of them: all of it at once.
        limit = {};
        next = "";
        this.#sink.begin();
        answer = await this.#ask("list", limit, signal);
      }
      const body = await readAll(answer.body, MAX_LIST_BYTES);
      this.#activity.heard();
      const page = sensible(() => answer.codec.page(body, this.#resource.kind));
      for (const item of page.items) this.#sink.put(item);
      next = page.continue;
      version = page.resourceVersion;
    } while (next !== "");
    this.#version = version; // not before: a list that breaks off is no state to watch from
    this.#commit("list");
    this.#sink.flush();
  }

  /** initial: the whole state comes first, up to a bookmark that says so. */
  async #follow(answer: Answer, initial: boolean): Promise<void> {
    this.#activity.watchBegun();
    try {
      await this.#read(answer, initial);
      this.#activity.watchEnded("server");
    } catch (error) {
      this.#activity.watchEnded(error instanceof ApiFailure ? error.kind : "stopped");
      throw error;
    }
  }

  async #read({ codec, body }: Answer, initial: boolean): Promise<void> {
    const frames = codec.frames();
    let complete = !initial;
    for await (const chunk of body) {
      this.#activity.heard();
      try {
        for (const frame of sensible(() => frames.push(chunk))) {
          const event = sensible(() => codec.event(frame));
          if (this.#take(event, complete) && !complete) {
            complete = true;
            this.#commit("watch-list");
          }
        }
      } finally {
        if (complete) this.#sink.flush(); // also what came in one piece with an error
      }
    }
    if (!complete)
      throw new ApiFailure("unreachable", "the API server ended the watch before the whole state was told");
  }

  /** True: the whole state has been told. complete: the version counts from here on. */
  #take({ type, object }: WatchEvent, complete: boolean): boolean {
    this.#activity.event(type);
    if (type === "ERROR") throw this.#eventFailure(object.value as ApiStatus);
    const { resourceVersion, annotations } = object.value.metadata ?? {};
    if (type === "ADDED" || type === "MODIFIED") this.#sink.put(object.value);
    else if (type === "DELETED") this.#sink.remove(object.value);
    else if (type !== "BOOKMARK") throw new ApiFailure("protocol", `a watch event of type ${JSON.stringify(type)}`);
    const last = type === "BOOKMARK" && annotations?.["k8s.io/initial-events-end"] === "true";
    if (resourceVersion && (complete || last)) this.#version = resourceVersion;
    return last;
  }

  #commit(by: "list" | "watch-list"): void {
    this.#activity.listed(by);
    this.#sink.commit();
    this.#sink.failed(undefined);
  }

  #eventFailure(status: ApiStatus): ApiFailure {
    return answerFailure(status.code ?? 500, status, { resource: this.#resource, verb: "watch", credentials: "them" });
  }

  #watchQuery(): Readonly<Record<string, string>> {
    const timeoutSeconds = String(Math.round(WATCH_SECONDS * (1 + this.#random())));
    return { watch: "true", allowWatchBookmarks: "true", timeoutSeconds };
  }

  #ask(verb: ReadVerb, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    return this.#client.get(this.#resource, verb, query, signal);
  }
}

const WATCH_LIST = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };

function monotonicMs(): number {
  return performance.now();
}

/** What an answer says, unless it says nothing that can be read. */
function sensible<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ApiFailure("protocol", `an answer that cannot be read: ${reason}`, { cause });
  }
}
