// SPDX-License-Identifier: Apache-2.0
// All metrics of an agent: told what happens, asked for Prometheus' text.

import { Counter, Gauge, Registry } from "prom-client";
import type { Counters } from "../datapath/ebpf/counters.ts";
import type { ApiActivity } from "../model/api-activity.ts";
import { registerApiMetrics, requestTimesText } from "./api-metrics.ts";
import { type DatapathSubject, registerDatapathMetrics, snatTriesText } from "./datapath-metrics.ts";
import { registerProcessMetrics } from "./process.ts";
import { ServiceMetrics } from "./service-metrics.ts";
import { SliMetrics } from "./sli-metrics.ts";
import { SyncMetrics } from "./sync-metrics.ts";
import type { SyncObserver } from "./sync-observer.ts";

export interface MetricsSubject extends DatapathSubject {
  /** undefined: no API server is asked. */
  readonly api: (() => ApiActivity) | undefined;
  readonly version: string;
  readonly mode: string;
  /** Why this mode, a sentence each. */
  readonly reasons: readonly string[];
  /** Of single services; undefined: nobody asks for them. max: service ports with a name of their own. */
  readonly services: { readonly max: number; readonly read: Counters["services"] } | undefined;
}

export class Metrics {
  /** Of the text. */
  readonly contentType: string;
  /** To be told of changes and their fate. */
  readonly sync: SyncObserver;
  /** Beside the text: what /metrics/slis says. */
  readonly slis: SliMetrics = new SliMetrics();
  readonly #registry = new Registry();
  readonly #healthz: Counter<"code">;
  readonly #livez: Counter<"code">;
  /** Beside the registry's: what others have counted. */
  readonly #texts: (() => string | Promise<string>)[];
  /** Whoever asks meanwhile gets the same. */
  #scrape: Promise<string> | undefined;

  constructor(subject: MetricsSubject) {
    const registry = this.#registry;
    this.contentType = registry.contentType;
    this.sync = new SyncMetrics(registry);
    this.#healthz = statusCounter(registry, "healthz");
    this.#livez = statusCounter(registry, "livez");
    registerDatapathMetrics(registry, subject);
    registerProcessMetrics(registry);
    new Gauge({
      name: "portolan_build_info",
      help: "Always 1: which version runs, and by which driver",
      labelNames: ["version", "mode"],
      registers: [registry],
    }).set({ version: subject.version, mode: subject.mode }, 1);
    const chosen = new Gauge({
      name: "portolan_mode",
      help: "Always 1: the mode that serves, with each reason for it",
      labelNames: ["mode", "reason"],
      registers: [registry],
    });
    for (const reason of subject.reasons) chosen.set({ mode: subject.mode, reason }, 1);
    const { api, services, counters } = subject;
    this.#texts = counters ? [() => snatTriesText(counters)] : [];
    if (api) {
      registerApiMetrics(registry, api);
      this.#texts.push(() => requestTimesText(api()));
    }
    if (!services) return;
    const metrics = new ServiceMetrics(services.max);
    this.#texts.push(async () => metrics.text(await services.read()));
  }

  /** What /healthz and /livez were answered with. */
  answered(page: "healthz" | "livez", status: number): void {
    (page === "healthz" ? this.#healthz : this.#livez).inc({ code: String(status) });
  }

  /** Prometheus text, format 0.0.4. */
  text(): Promise<string> {
    this.#scrape ??= this.#read().finally(() => {
      this.#scrape = undefined;
    });
    return this.#scrape;
  }

  async #read(): Promise<string> {
    const texts = [await this.#registry.metrics()];
    for (const text of this.#texts) texts.push(await text());
    return texts.join("\n");
  }
}

function statusCounter(registry: Registry, page: string): Counter<"code"> {
  const name = `kubeproxy_proxy_${page}_total`;
  return new Counter({
    name,
    help: `Cumulative proxy ${page} HTTP status`,
    labelNames: ["code"],
    registers: [registry],
  });
}
