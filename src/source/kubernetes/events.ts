// SPDX-License-Identifier: Apache-2.0
// Events for the API server (events.k8s.io/v1), sent beside everything else: nobody waits for one, and none is worth more
// than a few tries. The log has said the same before.

import type { ClusterEvent } from "../../model/cluster-event.ts";
import type { SourceProblem } from "../source.ts";
import { Backoff, type Pause, pause } from "./backoff.ts";
import type { ApiClient } from "./client.ts";
import { ApiFailure } from "./failure.ts";

const RESOURCE = { apiVersion: "events.k8s.io/v1", plural: "events" };
/** What comes while so many wait is left out. */
const MAX_WAITING = 64;
/** The same Event again within this is left out. */
const REPEAT_MS = 600_000;
const MAX_TRIES = 5;
/** The API refuses longer notes. */
const MAX_NOTE = 1000;
/** At the end. */
const GRACE_MS = 500;
const CONTROLLER = "portolan";

export interface EventRecorderOptions {
  readonly nodeName: string;
  readonly client: Pick<ApiClient, "create">;
  readonly onProblem: (problem: SourceProblem) => void;
  readonly pause?: Pause;
}

export class EventRecorder implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #waiting: { readonly event: ClusterEvent; readonly time: Date }[] = [];
  /** When it was last recorded, performance.now(), by its text. */
  readonly #recorded = new Map<string, number>();
  readonly #stop = new AbortController();
  #sending: Promise<void> | undefined;
  /** As last said. */
  #problem: string | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(event: ClusterEvent): void {
    const key = JSON.stringify(event);
    const nowMs = performance.now();
    for (const [old, atMs] of this.#recorded) if (nowMs - atMs >= REPEAT_MS) this.#recorded.delete(old);
    if (this.#stop.signal.aborted || this.#recorded.has(key) || this.#waiting.length >= MAX_WAITING) return;
    this.#recorded.set(key, nowMs);
    this.#waiting.push({ event, time: new Date() });
    this.#sending ??= this.#send();
  }

  /** What waits may be sent still, for a moment: it may say why we end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const enough = setTimeout(() => this.#stop.abort(), GRACE_MS);
    await this.#sending;
    clearTimeout(enough);
    this.#stop.abort();
  }

  async #send(): Promise<void> {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const failure = await this.#sendOne(eventObject(next.event, next.time, this.#options.nodeName));
      if (this.#stop.signal.aborted) return;
      if (failure && failure.message !== this.#problem) {
        const message = `${failure.message}; Events are left out`;
        this.#options.onProblem({ severity: "warning", place: "API server, events", message });
      }
      this.#problem = failure?.message;
      this.#waiting.shift();
    }
    this.#sending = undefined;
  }

  /** Why it was given up. */
  async #sendOne(object: EventObject): Promise<ApiFailure | undefined> {
    const { client } = this.#options;
    const wait = this.#options.pause ?? pause;
    const { signal } = this.#stop;
    const backoff = new Backoff();
    for (let tries = 1; ; tries++) {
      try {
        await client.create(RESOURCE, object.metadata.namespace, object, signal);
        return undefined;
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!(error instanceof ApiFailure)) throw error;
        const mayPass = error.kind === "unreachable" || error.kind === "busy" || error.kind === "credentials";
        if (!mayPass || tries === MAX_TRIES) return error;
        await wait(Math.max(backoff.next(), error.retryAfterMs), signal);
      }
    }
  }
}

interface EventObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

/** As client-go's recorder makes them: a node's stand in the namespace default, and a name is as good as a uid. */
export function eventObject(event: ClusterEvent, time: Date, nodeName: string): EventObject {
  const { regarding, type, reason, action } = event;
  const isNode = regarding === "this node";
  const { namespace, name } = isNode ? { namespace: "default", name: nodeName } : regarding;
  const nanoseconds = BigInt(time.getTime()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `${name}.${nanoseconds.toString(16)}`, namespace },
    eventTime: time.toISOString().replace("Z", "000Z"),
    reportingController: CONTROLLER,
    reportingInstance: `${CONTROLLER}-${nodeName}`.slice(0, 128),
    type,
    reason,
    action,
    note: event.note.slice(0, MAX_NOTE),
    regarding: isNode
      ? { kind: "Node", name, uid: name }
      : { kind: "Service", namespace, name, uid: `${namespace}/${name}` },
  };
}
