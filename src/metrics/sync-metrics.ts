// SPDX-License-Identifier: Apache-2.0
// How changes fare on their way into the kernel, under kube-proxy's names where the meaning is kube-proxy's.

import { Counter, exponentialBuckets, Gauge, Histogram, linearBuckets, type Registry } from "prom-client";
import type { ModelChanges } from "../model/changes.ts";
import type { Family } from "../model/ip.ts";
import { NoLocalEndpoints } from "./no-local-endpoints.ts";
import type { SyncObserver, SyncOutcome } from "./sync-observer.ts";

const FAMILIES: readonly Family[] = [4, 6];
const SYNC_BUCKETS = exponentialBuckets(0.001, 2, 15);
const PROGRAMMING_BUCKETS = [
  ...linearBuckets(0.25, 0.25, 2),
  ...linearBuckets(1, 1, 59),
  ...linearBuckets(60, 5, 12),
  ...linearBuckets(120, 30, 7),
];
/** 0.1 ms to 3.3 s */
const PUBLISH_BUCKETS = exponentialBuckets(0.0001, 2, 16);

/** That wait while the kernel refuses changes; beyond them they are not measured. */
const MAX_TRIGGERS = 10_000;

export function familyLabel(family: Family): "IPv4" | "IPv6" {
  return `IPv${family}`;
}

/** When an endpoint changed, and where it is served. */
interface Trigger {
  readonly family: Family;
  /** Unix time, milliseconds */
  readonly ms: number;
}

export class SyncMetrics implements SyncObserver {
  /** performance.now() */
  readonly #startMs = performance.now();
  readonly #noLocal = new NoLocalEndpoints();
  #triggers: Trigger[] = [];
  #full = true;
  readonly #duration;
  readonly #fullDuration;
  readonly #partialDuration;
  readonly #lastQueued;
  readonly #last;
  readonly #endpointChanges;
  readonly #serviceChanges;
  readonly #programming;
  readonly #publish;
  readonly #failures;

  constructor(registry: Registry) {
    const registers = [registry];
    const perFamily = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name: `kubeproxy_${name}`, help, buckets, labelNames: ["ip_family"], registers });
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `kubeproxy_sync_proxy_rules_${name}`, help, labelNames: ["ip_family"], registers });
    this.#duration = perFamily("sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds", SYNC_BUCKETS);
    this.#fullDuration = perFamily(
      "sync_full_proxy_rules_duration_seconds",
      "SyncProxyRules latency in seconds for full resyncs",
      SYNC_BUCKETS,
    );
    this.#partialDuration = perFamily(
      "sync_partial_proxy_rules_duration_seconds",
      "SyncProxyRules latency in seconds for partial resyncs",
      SYNC_BUCKETS,
    );
    this.#programming = perFamily(
      "network_programming_duration_seconds",
      "In Cluster Network Programming Latency in seconds",
      PROGRAMMING_BUCKETS,
    );
    this.#lastQueued = gauge("last_queued_timestamp_seconds", "The last time a sync of proxy rules was queued");
    this.#last = gauge("last_timestamp_seconds", "The last time proxy rules were successfully synced");
    this.#endpointChanges = changeMetrics(registry, "endpoint", "Endpoint");
    this.#serviceChanges = changeMetrics(registry, "service", "Service");
    this.#publish = new Histogram({
      name: "portolan_publish_duration_seconds",
      help: "Time to bring a change into the kernel, from its compiled form to the last map",
      buckets: PUBLISH_BUCKETS,
      registers,
    });
    this.#failures = new Counter({
      name: "portolan_publish_failures_total",
      help: "Attempts to bring changes into the kernel that left something out: services, for want of room; kernel, for what it refused",
      labelNames: ["cause"],
      registers,
    });
    for (const cause of ["services", "kernel"]) this.#failures.inc({ cause }, 0);
    this.#registerNoLocal(registry);
  }

  queued({ services, endpointSlices }: ModelChanges): void {
    const startMs = Date.now() - (performance.now() - this.#startMs); // by the clock as it is set now
    this.#serviceChanges.total.inc(services.length);
    this.#serviceChanges.pending.inc(services.length);
    for (const { previous, current } of endpointSlices) {
      const family = (current ?? previous)?.family;
      if (family === undefined) continue;
      this.#endpointChanges.total.inc();
      this.#endpointChanges.pending.inc();
      const ms = current?.changeTriggeredMs; // of one that is gone it says nothing about its going
      if (ms === undefined || ms <= startMs || this.#triggers.length >= MAX_TRIGGERS) continue;
      this.#triggers.push({ family, ms });
    }
  }

  settled({ delta, families, failure, upToDate, tookMs, publishMs }: SyncOutcome): void {
    const now = Date.now();
    if (delta) this.#noLocal.take(delta);
    if (failure !== "none") this.#failures.inc({ cause: failure });
    this.#publish.observe(publishMs / 1000);
    for (const family of families) {
      const labels = { ip_family: familyLabel(family) };
      this.#lastQueued.set(labels, (now - tookMs) / 1000);
      this.#duration.observe(labels, tookMs / 1000);
      (this.#full ? this.#fullDuration : this.#partialDuration).observe(labels, tookMs / 1000);
      if (upToDate) this.#last.set(labels, now / 1000);
    }
    if (families.size > 0) this.#full = false;
    if (upToDate) this.#through(now);
  }

  /** All that was queued is in the kernel. */
  #through(now: number): void {
    this.#serviceChanges.pending.set(0);
    this.#endpointChanges.pending.set(0);
    for (const { family, ms } of this.#triggers) {
      this.#programming.observe({ ip_family: familyLabel(family) }, Math.max(0, now - ms) / 1000);
    }
    this.#triggers = [];
  }

  #registerNoLocal(registry: Registry): void {
    const noLocal = this.#noLocal;
    new Gauge({
      name: "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
      help: "Number of services with a Local traffic policy and no endpoints",
      labelNames: ["traffic_policy", "ip_family"],
      registers: [registry],
      collect() {
        for (const family of FAMILIES) {
          const { internal, external } = noLocal.counts(family);
          this.set({ traffic_policy: "internal", ip_family: familyLabel(family) }, internal);
          this.set({ traffic_policy: "external", ip_family: familyLabel(family) }, external);
        }
      },
    });
  }
}

function changeMetrics(registry: Registry, kind: string, Kind: string) {
  const name = `kubeproxy_sync_proxy_rules_${kind}_changes`;
  const registers = [registry];
  return {
    pending: new Gauge({ name: `${name}_pending`, help: `Pending proxy rules ${Kind} changes`, registers }),
    total: new Counter({ name: `${name}_total`, help: `Cumulative proxy rules ${Kind} changes`, registers }),
  };
}
