// SPDX-License-Identifier: Apache-2.0
// kube-proxy's metrics of changes on their way into the kernel (behaviour rows 70 and 81).

import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CompiledService, Delta, ServiceKey } from "../../../src/compile/state.ts";
import { SyncMetrics } from "../../../src/metrics/sync-metrics.ts";
import type { SyncOutcome } from "../../../src/metrics/sync-observer.ts";
import { ChangeTracker, type ModelChanges, NO_CHANGES } from "../../../src/model/changes.ts";
import type { EndpointSlice } from "../../../src/model/endpoint-slice.ts";
import { readManifest } from "../../../src/source/manifest-file.ts";
import { ip, member, service } from "../../support/compiled.ts";
import { parseExposition } from "../../support/prometheus.ts";

const NOW = Date.parse("2026-03-04T05:06:07Z");

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

function world() {
  const registry = new Registry();
  const metrics = new SyncMetrics(registry);
  const scrape = async (name: string): Promise<Record<string, number>> => {
    const samples = parseExposition(await registry.metrics()).get(name)?.samples ?? [];
    return Object.fromEntries([...samples].map(([series, value]) => [series.replace(`${name}`, ""), value]));
  };
  return { metrics, scrape };
}

function slice(changeTriggeredMs?: number, family: EndpointSlice["family"] = 4): EndpointSlice {
  const object = { kind: "EndpointSlice", namespace: "a", name: "b", serviceName: "c", headless: false } as const;
  const triggered = changeTriggeredMs === undefined ? {} : { changeTriggeredMs };
  return { ...object, family, ports: [], endpoints: [], ...triggered };
}

function changes(...slices: readonly EndpointSlice[]): ModelChanges {
  return {
    ...NO_CHANGES,
    synced: true,
    endpointSlices: slices.map((current) => ({ previous: undefined, current })),
  };
}

function compiled(local: number, more: Partial<CompiledService>): CompiledService {
  const endpoints = Array.from({ length: local }, () => member("10.0.0.1", 80));
  return {
    ...service({ name: "b", at: "10.96.0.1", port: 80, local: endpoints, hasAnyEndpoints: true }),
    frontends: [
      { kind: "ClusterIP", address: ip("10.96.0.1"), port: 80 },
      { kind: "NodePort", address: undefined, port: 30080 },
    ],
    ...more,
  };
}

const EMPTY: Delta = { upsert: [], remove: [] };

function outcome(more: Partial<SyncOutcome> = {}): SyncOutcome {
  return {
    delta: EMPTY,
    families: new Set([4]),
    failure: "none",
    upToDate: more.failure !== "kernel",
    tookMs: 3,
    publishMs: 2,
    ...more,
  };
}

test("row 70: the buckets are kube-proxy's", async () => {
  const { metrics, scrape } = world();
  metrics.queued(changes(slice(NOW + 1)));
  vi.setSystemTime(NOW + 1500);
  metrics.settled(outcome());
  const buckets = async (name: string) =>
    Object.keys(await scrape(name)).flatMap((series) => /le="([^"]*)"/.exec(series)?.[1] ?? []);
  const sync = "0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192 16.384 +Inf";
  expect(await buckets("kubeproxy_sync_proxy_rules_duration_seconds")).toEqual(sync.split(" "));
  const seconds = Array.from({ length: 59 }, (_, i) => i + 1).join(" ");
  const programming = `0.25 0.5 ${seconds} 60 65 70 75 80 85 90 95 100 105 110 115 120 150 180 210 240 270 300 +Inf`;
  expect(await buckets("kubeproxy_network_programming_duration_seconds")).toEqual(programming.split(" "));
});

test("row 70: each family has its own duration and times, the first state is a full sync", async () => {
  const { metrics, scrape } = world();
  metrics.settled(outcome({ families: new Set([4, 6]) }));
  vi.setSystemTime(NOW + 10_000);
  metrics.settled(outcome({ families: new Set([6]), tookMs: 40 }));
  const count = async (kind: string) => {
    const found = await scrape(`kubeproxy_sync_${kind}proxy_rules_duration_seconds`);
    return [found['_count{ip_family="IPv4"}'] ?? 0, found['_count{ip_family="IPv6"}'] ?? 0];
  };
  expect([await count(""), await count("full_"), await count("partial_")]).toEqual([
    [1, 2],
    [1, 1],
    [0, 1],
  ]);
  const at = NOW / 1000;
  expect(await scrape("kubeproxy_sync_proxy_rules_last_timestamp_seconds")).toEqual({
    '{ip_family="IPv4"}': at,
    '{ip_family="IPv6"}': at + 10,
  });
  expect(await scrape("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds")).toEqual({
    '{ip_family="IPv4"}': at - 0.003,
    '{ip_family="IPv6"}': at + 9.96,
  });
});

test("row 70: changes are pending while the kernel refuses them, and failures counted", async () => {
  const { metrics, scrape } = world();
  const endpoints = async () => [
    (await scrape("kubeproxy_sync_proxy_rules_endpoint_changes_total"))[""],
    (await scrape("kubeproxy_sync_proxy_rules_endpoint_changes_pending"))[""],
  ];
  metrics.queued(changes(slice(), slice(undefined, 6), { ...slice(), family: undefined }));
  metrics.settled(outcome({ failure: "kernel" }));
  expect(await endpoints()).toEqual([2, 2]); // what is of neither family is nobody's
  expect(await scrape("kubeproxy_sync_proxy_rules_last_timestamp_seconds")).toEqual({});
  metrics.queued(changes(slice()));
  metrics.settled(outcome({ failure: "services" }));
  expect(await endpoints()).toEqual([3, 0]);
  expect(await scrape("portolan_publish_failures_total")).toEqual({ '{cause="services"}': 1, '{cause="kernel"}': 1 });
});

test("row 81: from an endpoint's change to the kernel, of changes since the start", async () => {
  const { metrics, scrape } = world();
  const seen = async () => {
    const found = await scrape("kubeproxy_network_programming_duration_seconds");
    return [found['_count{ip_family="IPv4"}'], found['_sum{ip_family="IPv4"}'], found['_count{ip_family="IPv6"}']];
  };
  metrics.queued(changes(slice(NOW), slice(NOW - 1)));
  metrics.settled(outcome());
  expect(await seen()).toEqual([undefined, undefined, undefined]);
  vi.advanceTimersByTime(10_000);
  metrics.queued(changes(slice(NOW + 7500), slice(NOW + 9000, 6)));
  metrics.settled(outcome({ failure: "kernel" }));
  expect(await seen()).toEqual([undefined, undefined, undefined]);
  vi.advanceTimersByTime(2000);
  metrics.settled(outcome({ delta: undefined }));
  expect(await seen()).toEqual([1, 4.5, 1]);
  metrics.queued({ ...changes(), endpointSlices: [{ previous: slice(NOW + 11_000), current: undefined }] });
  metrics.settled(outcome());
  expect(await seen()).toEqual([1, 4.5, 1]);
});

test.each([
  ["ahead", 86_400_000],
  ["back", -2 * 86_400_000],
])("row 81: the node's clock jumps %s: changes since the start are still told from those before", async (_, jumpMs) => {
  const { metrics, scrape } = world();
  vi.advanceTimersByTime(10_000);
  vi.setSystemTime(NOW + 10_000 + jumpMs);
  const startMs = NOW + jumpMs; // by the clock of whoever writes slices, which the node's is now
  metrics.queued(changes(slice(startMs - 1), slice(startMs + 7500)));
  metrics.settled(outcome());
  const found = await scrape("kubeproxy_network_programming_duration_seconds");
  expect([found['_count{ip_family="IPv4"}'], found['_sum{ip_family="IPv4"}']]).toEqual([1, 2.5]);
});

test("row 81: another time without another change is none", () => {
  const tracker = new ChangeTracker();
  tracker.record("x", slice(1), slice(2));
  tracker.record("y", slice(), slice(2));
  expect(tracker.empty).toBe(true);
  tracker.record("x", slice(1), slice(2, 6));
  expect(tracker.take(true).endpointSlices).toEqual([{ previous: slice(1), current: slice(2, 6) }]);
});

test.each([
  ["2026-03-04T05:06:07.125Z", { changeTriggeredMs: NOW + 125 }],
  ["2026-03-04T06:06:07+01:00", { changeTriggeredMs: NOW }],
  ["2026-03-04T05:06:07.123456789Z", { changeTriggeredMs: NOW + 123 }],
])("row 81: the time is read from the slice's annotation: %s", (text, expected) => {
  expect(readSlice(`{ endpoints.kubernetes.io/last-change-trigger-time: "${text}" }`)).toMatchObject(expected);
});

test.each(['{ endpoints.kubernetes.io/last-change-trigger-time: "soon" }', "{}", "7"])(
  "row 81: what is no time is left out: %s",
  (annotations) => {
    expect(readSlice(annotations)).not.toHaveProperty("changeTriggeredMs");
  },
);

function readSlice(annotations: string) {
  const text = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, annotations: ${annotations} }
addressType: IPv4
endpoints: [{ addresses: [10.244.1.1] }]
`;
  const { objects } = readManifest("a.yaml", text, new Map(), { intern: (name) => name, reuse: (object) => object });
  return objects.get("EndpointSlice/default/web-1")?.object;
}

test("row 70: Services of policy Local whose endpoints are all elsewhere are counted, as they come and go", async () => {
  const { metrics, scrape } = world();
  const counts = async () => {
    const found = await scrape("kubeproxy_sync_proxy_rules_no_local_endpoints_total");
    const of = (policy: string, family: number) => found[`{traffic_policy="${policy}",ip_family="IPv${family}"}`];
    return [of("internal", 4), of("external", 4), of("internal", 6), of("external", 6)];
  };
  const step = (upsert: readonly CompiledService[], remove: readonly ServiceKey[] = []) =>
    metrics.settled(outcome({ delta: { upsert, remove } }));
  const key = (name: string) => `a/${name}:/TCP/IPv4` as ServiceKey;
  step([
    compiled(0, { key: key("both"), internalLocal: true, externalLocal: true }),
    compiled(0, { key: key("six"), family: 6, internalLocal: true }),
    compiled(1, { key: key("here"), internalLocal: true }),
    compiled(0, { key: key("none"), internalLocal: true, hasAnyEndpoints: false }),
    compiled(0, { key: key("inside"), externalLocal: true, frontends: [] }),
    compiled(0, { key: key("cluster") }),
  ]);
  expect(await counts()).toEqual([1, 1, 1, 0]);
  step([compiled(1, { key: key("both"), internalLocal: true, externalLocal: true })], [key("six")]);
  expect(await counts()).toEqual([0, 0, 0, 0]);
});
