// SPDX-License-Identifier: Apache-2.0
// The source behind `--kubeconfig` and `--in-cluster`: a reflector for each kind, whose changes come out as one stream.

import { setTimeout as sleep } from "node:timers/promises";
import type { ApiActivity } from "../../model/api-activity.ts";
import { ChangeTracker, type ModelObject } from "../../model/changes.ts";
import type { ClusterEvent } from "../../model/cluster-event.ts";
import { sameValue } from "../../model/same-value.ts";
import type { OnChange, Source, SourceProblem } from "../source.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { CheckpointKeeper } from "./checkpoint-keeper.ts";
import { ApiClient } from "./client.ts";
import { type CredentialOptions, Credentials } from "./credentials.ts";
import { EventRecorder } from "./events.ts";
import type { ApiFailure } from "./failure.ts";
import { Objects } from "./objects.ts";
import { Reflector, type ReflectorSink } from "./reflector.ts";
import { type Resource, resourcesOf } from "./resources.ts";

const PATIENCE_MS = 5_000;

export interface KubernetesSourceOptions extends CredentialOptions {
  readonly nodeName: string;
  /** Names us in the API server's audit log. */
  readonly userAgent: string;
  /** File in which what was read survives a reboot. */
  readonly checkpoint: string;
  /** Whoever is silent for so long at the start is taken for absent; default 5000. */
  readonly patienceMs?: number;
}

/** One kind, and how far it has come. */
interface Followed {
  readonly resource: Resource;
  readonly objects: Objects;
  /** The whole state has been told once, or will not be: an agent does without it. */
  settled: boolean;
  /** As last said. */
  failure: string | undefined;
}

export class KubernetesSource implements Source {
  readonly #nodeName: string;
  readonly #patienceMs: number;
  readonly #client: ApiClient;
  readonly #changes = new ChangeTracker();
  readonly #strings = new Map<string, string>();
  readonly #events: EventRecorder;
  readonly #checkpoint: string;
  readonly #keeper: CheckpointKeeper;
  readonly #stop = new AbortController();
  readonly #followed: Followed[] = [];
  readonly #reflectors: Reflector[] = [];
  #running: Promise<unknown> = Promise.resolve();
  /** Each kind was told or could not be had at the first try, or nothing more comes. */
  #tried: Promise<void> = Promise.resolve();
  /** From start() on. */
  #onChange: OnChange | undefined;
  #onProblem: (problem: SourceProblem) => void = () => {};
  /** Objects that have come so far. */
  #heard = 0;
  /** As last told. */
  #synced = false;
  #troubled: ReadonlySet<string> = new Set();

  /** Throws an ApiFailure when the credentials name no API server. */
  constructor({ nodeName, userAgent, checkpoint, patienceMs = PATIENCE_MS, ...options }: KubernetesSourceOptions) {
    const credentials = new Credentials(options);
    credentials.check();
    this.#nodeName = nodeName;
    this.#patienceMs = patienceMs;
    this.#client = new ApiClient(credentials, userAgent);
    this.#events = new EventRecorder({
      nodeName,
      client: this.#client,
      onProblem: (problem) => this.#onProblem(problem),
    });
    this.#checkpoint = checkpoint;
    this.#keeper = new CheckpointKeeper({
      file: checkpoint,
      nodeName,
      objects: () => this.#all(),
      onProblem: ({ message }) => {
        const without = "a node that boots without an API server serves what an older one says, or nothing";
        this.#onProblem({
          severity: "warning",
          place: checkpoint,
          message: `cannot be written: ${message}: ${without}`,
        });
      },
    });
  }

  begin(onProblem: (problem: SourceProblem) => void): void {
    this.#onProblem = (problem) => {
      if (!this.#stop.signal.aborted) onProblem(problem);
    };
    const first: Promise<void>[] = [];
    const running: Promise<void>[] = [];
    for (const resource of resourcesOf(this.#nodeName)) {
      const { promise, resolve } = withResolvers();
      const reflector = new Reflector({ resource, client: this.#client, sink: this.#follow(resource, resolve) });
      this.#reflectors.push(reflector);
      const ended = reflector.run(this.#stop.signal);
      running.push(ended);
      first.push(Promise.race([promise, ended]));
    }
    this.#running = Promise.all(running);
    this.#tried = this.#patiently(Promise.all(first));
  }

  /**
   * Resolves once each kind has been told or could not be had at the first try: an agent that finds no API server goes on
   * with what an earlier one left.
   */
  async start(onChange: OnChange, recall: boolean): Promise<void> {
    this.#onChange = onChange;
    if (this.#complete) this.#tell();
    await this.#tried;
    this.#noteSilence();
    if (recall && !this.#synced) await this.#recall();
    if (!this.#synced) this.#tell(); // what there is of it, and that it is not all
  }

  record(event: ClusterEvent): void {
    this.#events.record(event);
  }

  activity(): ApiActivity {
    const { counts: requests, times } = this.#client.activity;
    return { requests, times, reflectors: this.#reflectors.map(({ counts }) => counts) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#events[Symbol.asyncDispose]();
    await this.#keeper[Symbol.asyncDispose]();
  }

  *#all(): Iterable<ModelObject> {
    for (const { objects } of this.#followed) yield* objects.all();
  }

  /** Until all have been tried, or nothing more comes. */
  async #patiently(tried: Promise<unknown>): Promise<void> {
    let done = false;
    const over = tried.then(() => {
      done = true;
    });
    for (let heard = -1; heard !== this.#heard && !done; ) {
      heard = this.#heard;
      await Promise.race([over, sleep(this.#patienceMs, undefined, { ref: false })]);
    }
  }

  /** Those that have neither been told nor failed. */
  #noteSilence(): void {
    const silent = this.#followed.filter(({ settled, failure }) => !settled && failure === undefined);
    if (silent.length === 0) return;
    const which = silent.map(({ resource }) => resource.plural).join(", ");
    const message = `no answer for ${this.#patienceMs / 1000} s: it is waited for, and what an earlier agent served goes on`;
    this.#onProblem({ severity: "error", place: `API server, ${which}`, message });
  }

  /** What an earlier run last knew of the kinds that no API server tells now. */
  async #recall(): Promise<void> {
    const place = this.#checkpoint;
    try {
      const found = await readCheckpoint(place, this.#intern);
      if (!found || this.#synced) return;
      const written = new Date(found.writtenMs).toISOString();
      if (found.nodeName !== this.#nodeName) throw new Error(`it is of the node ${JSON.stringify(found.nodeName)}`);
      const missing = new Map(this.#followed.filter(({ settled }) => !settled).map((one) => [one.resource.kind, one]));
      for (const object of found.objects) missing.get(object.kind)?.objects.recall(object);
      const message = `no API server answers, so what it said until ${written} is served until one does`;
      this.#onProblem({ severity: "warning", place, message });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#onProblem({ severity: "warning", place, message: `cannot be used: ${reason}: nothing is known yet` });
    }
  }

  /** tried: called when the state has been told, and when it could not be. */
  #follow(resource: Resource, tried: () => void): ReflectorSink {
    const onProblem = (problem: SourceProblem) => this.#onProblem(problem);
    const objects = new Objects({ resource, changes: this.#changes, intern: this.#intern, onProblem });
    const followed: Followed = { resource, objects, settled: false, failure: undefined };
    this.#followed.push(followed);
    return {
      begin: () => objects.begin(),
      put: (object) => {
        this.#heard++;
        objects.put(object);
      },
      remove: (object) => objects.remove(object),
      commit: () => {
        objects.commit();
        followed.settled = true;
      },
      flush: () => {
        if (this.#complete) this.#tell();
        tried();
      },
      failed: (failure) => {
        this.#note(followed, failure);
        if (failure) tried();
      },
    };
  }

  /** The whole state of each kind is known. */
  get #complete(): boolean {
    return this.#followed.every(({ settled }) => settled);
  }

  #tell(): void {
    if (!this.#onChange || this.#stop.signal.aborted) return;
    const synced = this.#complete;
    const troubled = new Set(this.#followed.flatMap(({ objects }) => [...objects.troubled]));
    const changed = !this.#changes.empty || synced !== this.#synced || !sameValue([...troubled], [...this.#troubled]);
    if (!changed) return;
    this.#synced = synced;
    this.#troubled = troubled;
    if (synced && !this.#changes.empty) this.#keeper.changed();
    this.#onChange(this.#changes.take(synced), troubled);
  }

  /** Told when it becomes another, and when all is well again. */
  #note(followed: Followed, failure: ApiFailure | undefined): void {
    const { resource, settled } = followed;
    if (failure?.message === followed.failure) return;
    const place = `API server, ${resource.plural}`;
    followed.failure = failure?.message;
    if (!failure) {
      this.#onProblem({ severity: "debug", place, message: "followed again" });
      return;
    }
    const refused = failure.kind === "forbidden" || failure.kind === "missing";
    if (refused && resource.without !== undefined) {
      this.#onProblem({ severity: "warning", place, message: `${failure.message}; done without ${resource.without}` });
      followed.settled = true;
      if (!settled && this.#complete) this.#tell();
      return;
    }
    const meanwhile = settled ? "what is served goes on as it was last told" : "what an earlier agent served goes on";
    const severity = failure.kind === "expired" ? "debug" : "error";
    this.#onProblem({ severity, place, message: `${failure.message} (it is tried again; ${meanwhile})` });
  }

  readonly #intern = (text: string): string => {
    const shared = this.#strings.get(text);
    if (shared === undefined) this.#strings.set(text, text);
    return shared ?? text;
  };
}

/** Promise.withResolvers(), which Node.js 20 has not. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
