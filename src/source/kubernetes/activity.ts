// SPDX-License-Identifier: Apache-2.0
// Counts what is asked of an API server and what comes of it: a few additions a request or an event, for whoever asks.

import {
  REQUEST_SECONDS,
  type ReflectorCounts,
  type RequestCount,
  type RequestTimes,
} from "../../model/api-activity.ts";

/** Of all requests to API servers. There are few servers, codes and methods, so few series. */
export class RequestActivity {
  readonly #counts = new Map<string, RequestCount>();
  readonly #times = new Map<string, RequestTimes>();

  /** code: of HTTP; undefined: no answer came. tookMs: until it began. */
  answered(method: string, host: string, code: number | undefined, tookMs: number): void {
    const text = code === undefined ? "<error>" : String(code);
    const key = `${text} ${method} ${host}`;
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    this.#counts.set(key, { code: text, method, host, count });
    if (code !== undefined) this.#time(method, host, tookMs / 1000);
  }

  get counts(): readonly RequestCount[] {
    return [...this.#counts.values()];
  }

  get times(): readonly RequestTimes[] {
    return [...this.#times.values()];
  }

  #time(verb: string, host: string, seconds: number): void {
    const key = `${verb} ${host}`;
    const { counts, sumSeconds } = this.#times.get(key) ?? {
      counts: new Array<number>(REQUEST_SECONDS.length + 1).fill(0),
      sumSeconds: 0,
    };
    const above = REQUEST_SECONDS.findIndex((bound) => seconds <= bound);
    const bucket = above < 0 ? REQUEST_SECONDS.length : above;
    const now = counts.map((count, n) => (n === bucket ? count + 1 : count));
    this.#times.set(key, { verb, host, counts: now, sumSeconds: sumSeconds + seconds });
  }
}

/** Of one reflector. */
export class ReflectorActivity {
  readonly #now: () => number;
  readonly #watchEnds = new Map<string, number>();
  readonly #events = new Map<string, number>();
  #lists = 0;
  #watchLists = 0;
  #watches = 0;
  #heardMs: number | undefined;

  /** now: milliseconds of a clock that only goes forward. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Something came from the server, be it a piece. */
  heard(): void {
    this.#heardMs = this.#now();
  }

  listed(by: "list" | "watch-list"): void {
    if (by === "list") this.#lists++;
    else this.#watchLists++;
  }

  watchBegun(): void {
    this.#watches++;
    this.heard();
  }

  watchEnded(reason: string): void {
    add(this.#watchEnds, reason);
  }

  /** type: as on the wire. */
  event(type: string): void {
    add(this.#events, EVENT_TYPES.get(type) ?? "unknown");
  }

  counts(resource: string, version: string | undefined): ReflectorCounts {
    return {
      resource,
      lists: this.#lists,
      watchLists: this.#watchLists,
      watches: this.#watches,
      watchEnds: this.#watchEnds,
      events: this.#events,
      version,
      silentMs: this.#heardMs === undefined ? undefined : this.#now() - this.#heardMs,
    };
  }
}

/** None that a server thinks up becomes a series of its own. */
const EVENT_TYPES: ReadonlyMap<string, string> = new Map(
  ["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"].map((type) => [type, type.toLowerCase()]),
);

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
