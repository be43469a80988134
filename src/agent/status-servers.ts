// SPDX-License-Identifier: Apache-2.0
// What the agent says of itself over HTTP (behaviour rows 68 to 71): node health where load balancers ask for it, and
// where people and Prometheus do.

import type { Counters } from "../datapath/ebpf/counters.ts";
import { type HttpAnswer, jsonAnswer, textAnswer, typedAnswer } from "../health/answer.ts";
import type { HealthLog } from "../health/health-servers.ts";
import { NodeHealth, type NodeHealthOptions, type Step } from "../health/node-health.ts";
import { type BindAddress, RouteServer, type Routes } from "../health/route-server.ts";
import { flagzAnswer, statuszAnswer } from "../health/zpages.ts";
import { Metrics, type MetricsSubject } from "../metrics/metrics.ts";
import { processStartMs } from "../metrics/process.ts";
import type { SyncObserver } from "../metrics/sync-observer.ts";
import type { OnEvent } from "../model/cluster-event.ts";
import { NodeError } from "./errors.ts";
import { flagTexts, withoutUser } from "./flag-texts.ts";
import type { AgentOptions } from "./options.ts";
import { VERSION } from "./version.ts";

export interface StatusSubject
  extends Pick<NodeHealthOptions, "nodeExpected" | "keepsUp" | "adopted">,
    Pick<MetricsSubject, "api" | "counters" | "unserved" | "problems"> {
  /** Name of the driver. */
  readonly mode: string;
  /** Why this one. */
  readonly reasons: readonly string[];
  readonly counters: Counters | undefined;
  /** The first state that may take away what an earlier agent left was published. */
  readonly begun: () => boolean;
  readonly onEvent: OnEvent;
}

export class StatusServers implements AsyncDisposable {
  /** To be told of changes and their fate. */
  readonly observer: SyncObserver;
  readonly #servers: readonly RouteServer[];
  readonly #failed = new AbortController();
  #attached = false;
  #options: AgentOptions;

  /** Listens from the event loop's next turn. What cannot be bound is a warning, and tried again. */
  constructor(options: AgentOptions, subject: StatusSubject, log: HealthLog) {
    this.#options = options;
    const steps: readonly Step[] = [
      { name: "state", missing: "the first complete state is not in the kernel yet", done: subject.begun },
      { name: "hooks", missing: "the programs are not attached yet", done: () => this.#attached },
    ];
    const health = new NodeHealth({ ...subject, nodeName: options.nodeName, steps, log });
    const metrics = options.metricsBind && openMetrics(options, subject);
    this.observer = {
      queued: (changes) => {
        health.update(changes);
        metrics?.sync.queued(changes);
      },
      settled: (outcome) => {
        if (outcome.upToDate) health.updated(outcome.families);
        metrics?.sync.settled(outcome);
      },
    };
    const hardFail = options.bindAddressHardFail && { onHardFailure: (error: Error) => this.#fail(error) };
    const serve = (setting: string, reason: string, bind: BindAddress | undefined, routes: Routes) => {
      const onFailure = ({ message: note }: Error) =>
        subject.onEvent({ regarding: "this node", type: "Warning", reason, action: "StartPortolan", note });
      return bind ? [new RouteServer({ setting, bind, routes, log, onFailure, ...hardFail })] : [];
    };
    const [healthz, pages] = [healthPages(health, steps, metrics), this.#pages(subject.mode, metrics)];
    this.#servers = [
      ...serve("--healthz-bind-address", "FailedToStartProxierHealthcheck", options.healthzBind, healthz),
      ...serve("--metrics-bind-address", "FailedToStartMetricServer", options.metricsBind, pages),
    ];
  }

  /** Aborted with a NodeError once an address could not be bound that the agent is not to run without. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** What /configz and /flagz say from now on. */
  reconfigure(options: AgentOptions): void {
    this.#options = options;
  }

  /** The programs are in force. */
  attached(): void {
    this.#attached = true;
  }

  #pages(mode: string, metrics: Metrics | undefined): Routes {
    const pages: Routes = {
      ...(metrics && {
        "/metrics": async () => typedAnswer(metrics.contentType, await metrics.text(), new Date()),
        "/metrics/slis": async () => typedAnswer(metrics.contentType, await metrics.slis.text(), new Date()),
      }),
      "/healthz": ({ url }) => {
        metrics?.slis.observe("healthz", "ping", true);
        return ping(url);
      },
      "/healthz/ping": () => textAnswer(200, "ok", new Date()),
      "/proxyMode": () => textAnswer(200, mode, new Date()),
      "/configz": () => jsonAnswer(200, JSON.stringify({ "portolan.dev": publicOptions(this.#options) }), new Date()),
      "/flagz": (request) => flagzAnswer(request, flagTexts(this.#options), new Date()),
    };
    const paths = [...new Set(Object.keys(pages).map((path) => path.replace(/(?<=.)\/.*/, "")))].sort();
    const started = new Date(processStartMs());
    const about = { started, version: VERSION, runtime: process.version, paths };
    return { ...pages, "/statusz": (request) => statuszAnswer(request, about, new Date()) };
  }

  #fail({ message, cause }: Error): void {
    this.#failed.abort(new NodeError(`${message}: free the port or name another`, { cause }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

function healthPages(health: NodeHealth, steps: readonly Step[], metrics: Metrics | undefined): Routes {
  const counted = (page: "healthz" | "livez") => () => {
    const answer = health[page]();
    metrics?.answered(page, answer.status);
    return answer;
  };
  const readyz = () => {
    for (const { name, done } of steps) metrics?.slis.observe("readyz", name, done());
    return health.readyz();
  };
  return { "/healthz": counted("healthz"), "/livez": counted("livez"), "/readyz": readyz };
}

/** The agent answers: that is all it says, to whoever asks for more too. */
function ping(url = ""): HttpAnswer {
  const verbose = new URLSearchParams(url.split("?")[1]).has("verbose");
  return textAnswer(200, verbose ? "[+]ping ok\nhealthz check passed\n" : "ok", new Date());
}

/** What anybody on the node may read. */
function publicOptions(options: AgentOptions): AgentOptions {
  const { source } = options;
  if (source.kind !== "kubernetes") return options;
  return { ...options, source: { ...source, servers: source.servers.map(withoutUser) } };
}

function openMetrics(options: AgentOptions, subject: StatusSubject): Metrics {
  const { api, counters, mode, reasons, unserved, problems } = subject;
  const { serviceMetricsMax: max } = options;
  const services = max === undefined || !counters ? undefined : { max, read: () => counters.services() };
  return new Metrics({ version: VERSION, mode, reasons, api, counters, unserved, problems, services });
}
