// SPDX-License-Identifier: Apache-2.0
// What the agent says of itself over HTTP (behaviour rows 68 to 71): node health where load balancers ask for it, and
// where people and Prometheus do.

import type { Counters } from "../datapath/ebpf/counters.ts";
import { jsonAnswer, textAnswer, typedAnswer } from "../health/answer.ts";
import type { HealthLog } from "../health/health-servers.ts";
import { NodeHealth, type NodeHealthOptions } from "../health/node-health.ts";
import { type BindAddress, RouteServer, type Routes } from "../health/route-server.ts";
import { Metrics, type MetricsSubject } from "../metrics/metrics.ts";
import type { SyncObserver } from "../metrics/sync-observer.ts";
import type { OnEvent } from "../model/cluster-event.ts";
import { NodeError } from "./errors.ts";
import type { AgentOptions } from "./options.ts";
import { VERSION } from "./version.ts";

export interface StatusSubject
  extends Pick<NodeHealthOptions, "nodeExpected" | "keepsUp" | "adopted">,
    Pick<MetricsSubject, "counters" | "unserved" | "problems"> {
  /** Name of the driver. */
  readonly mode: string;
  readonly counters: Counters;
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
    const health = new NodeHealth({
      ...subject,
      nodeName: options.nodeName,
      steps: [
        { name: "state", missing: "the first complete state is not in the kernel yet", done: subject.begun },
        { name: "hooks", missing: "the programs are not attached yet", done: () => this.#attached },
      ],
    });
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
    const [healthz, pages] = [healthPages(health, metrics), this.#pages(subject.mode, metrics)];
    this.#servers = [
      ...serve("--healthz-bind-address", "FailedToStartProxierHealthcheck", options.healthzBind, healthz),
      ...serve("--metrics-bind-address", "FailedToStartMetricServer", options.metricsBind, pages),
    ];
  }

  /** Aborted with a NodeError once an address could not be bound that the agent is not to run without. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** What /configz says from now on. */
  reconfigure(options: AgentOptions): void {
    this.#options = options;
  }

  /** The programs are in force. */
  attached(): void {
    this.#attached = true;
  }

  #pages(mode: string, metrics: Metrics | undefined): Routes {
    return {
      ...(metrics && { "/metrics": async () => typedAnswer(metrics.contentType, await metrics.text(), new Date()) }),
      "/healthz": () => textAnswer(200, "ok", new Date()),
      "/proxyMode": () => textAnswer(200, mode, new Date()),
      "/configz": () => jsonAnswer(200, JSON.stringify({ "portolan.dev": this.#options }), new Date()),
    };
  }

  #fail({ message, cause }: Error): void {
    this.#failed.abort(new NodeError(`${message}: free the port or name another`, { cause }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

function healthPages(health: NodeHealth, metrics: Metrics | undefined): Routes {
  const counted = (page: "healthz" | "livez") => () => {
    const answer = health[page]();
    metrics?.answered(page, answer.status);
    return answer;
  };
  return { "/healthz": counted("healthz"), "/livez": counted("livez"), "/readyz": () => health.readyz() };
}

function openMetrics(options: AgentOptions, { counters, mode, unserved, problems }: StatusSubject): Metrics {
  const { serviceMetricsMax: max } = options;
  const services = max === undefined ? undefined : { max, read: () => counters.services() };
  return new Metrics({ version: VERSION, mode, counters, unserved, problems, services });
}
