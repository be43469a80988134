// SPDX-License-Identifier: Apache-2.0
// What was asked of an API server and what came of it, as counts since the process began: from the source to metrics.

export interface RequestCount {
  /** Of HTTP; `<error>`: no answer came, as client-go has it. */
  readonly code: string;
  readonly method: string;
  /** `host:port` of the server. */
  readonly host: string;
  readonly count: number;
}

/** How long answers took to begin. */
export interface RequestTimes {
  readonly verb: string;
  readonly host: string;
  /** By REQUEST_SECONDS; one more counts what took longer. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

/** Upper bounds: those of client-go's rest_client_request_duration_seconds. */
export const REQUEST_SECONDS: readonly number[] = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** One kind of objects that is kept in step with the server's. */
export interface ReflectorCounts {
  /** As in the path and in RBAC: services, endpointslices, ... */
  readonly resource: string;
  /** Whole states told: by a list, by a watch that begins with them. */
  readonly lists: number;
  readonly watchLists: number;
  /** Watches that began. */
  readonly watches: number;
  /** How many of them have ended, by why: `server`, that it did so in the ordinary way, or a kind of failure. */
  readonly watchEnds: ReadonlyMap<string, number>;
  /** Of watches, by type in lower case. */
  readonly events: ReadonlyMap<string, number>;
  /** That was told last, of an object or a bookmark. */
  readonly version: string | undefined;
  /** Since the server was heard last; undefined: never. */
  readonly silentMs: number | undefined;
}

export interface ApiActivity {
  readonly requests: readonly RequestCount[];
  readonly times: readonly RequestTimes[];
  readonly reflectors: readonly ReflectorCounts[];
}
