// SPDX-License-Identifier: Apache-2.0
// /metrics/slis: what health checks have come to, in the stable shape that every Kubernetes component has
// (k8s.io/component-base metrics/prometheus/slis, KEP 3466).

import { Counter, Gauge, Registry } from "prom-client";
import { registerProcessStart } from "./process.ts";

export class SliMetrics {
  readonly #registry = new Registry();
  readonly #healthcheck: Gauge<"name" | "type">;
  readonly #total: Counter<"name" | "status" | "type">;

  constructor() {
    const registers = [this.#registry];
    this.#healthcheck = new Gauge({
      name: "kubernetes_healthcheck",
      help: "[STABLE] This metric records the result of a single healthcheck.",
      labelNames: ["name", "type"],
      registers,
    });
    this.#total = new Counter({
      name: "kubernetes_healthchecks_total",
      help: "[STABLE] This metric records the results of all healthcheck.",
      labelNames: ["name", "status", "type"],
      registers,
    });
    registerProcessStart(this.#registry);
  }

  /** A check was made because somebody asked. type: the page that it is part of, name: which of its checks. */
  observe(type: "healthz" | "readyz", name: string, passed: boolean): void {
    this.#healthcheck.set({ name, type }, passed ? 1 : 0);
    this.#total.inc({ name, status: passed ? "success" : "error", type });
  }

  /** Prometheus text, format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
