// SPDX-License-Identifier: Apache-2.0
// docs/metrics.md names every metric that there is, with its type and its labels, and no other.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ServiceKey } from "../../../src/compile/state.ts";
import { Metrics } from "../../../src/metrics/metrics.ts";
import { parseExposition } from "../../support/prometheus.ts";
import { root } from "../house/source-files.ts";

const KEY = "a/b:/TCP/IPv4" as ServiceKey;

/** Everything that can be said is said at least once. */
async function scrapeAll(): Promise<string> {
  const fill = [{ map: "services", used: 1, size: 2, evicts: false }];
  const counts = { key: KEY, connections: 1, packets: 1, bytes: 1, rejects: 1 };
  const metrics = new Metrics({
    version: "1.2.3",
    mode: "ebpf",
    reasons: ["--mode ebpf"],
    counters: {
      drops: () => [{ reason: 1, name: "no_endpoints", count: 1n }],
      fill: async () => fill,
      flows: { scanned: 4, nascent: 1, owners: 2, snat: 1 },
      devices: () => [1],
      snatTries: () => ({ buckets: [1], tries: 1 }),
    },
    api: () => ({
      requests: [{ code: "200", method: "GET", host: "a:1", count: 1 }],
      times: [{ verb: "GET", host: "a:1", counts: [1], sumSeconds: 1 }],
      reflectors: [
        {
          ...{ resource: "services", lists: 1, watchLists: 0, watches: 1, version: "7", silentMs: 10 },
          ...{ watchEnds: new Map([["server", 1]]), events: new Map([["added", 1]]) },
        },
      ],
    }),
    unserved: () => 0,
    problems: () => 0,
    services: { max: 1, read: async () => [counts] },
  });
  const slice = { kind: "EndpointSlice", namespace: "a", name: "b", serviceName: "c", headless: false } as const;
  const current = { ...slice, family: 4, ports: [], endpoints: [], changeTriggeredMs: Date.now() + 60_000 } as const;
  const none = { services: [], nodes: [], pods: [], namespaces: [], serviceCidrs: [] };
  for (const delta of [
    { upsert: [], remove: [KEY] },
    { upsert: [], remove: [KEY] },
  ]) {
    metrics.sync.queued({ ...none, synced: true, endpointSlices: [{ previous: undefined, current }] });
    metrics.sync.settled({ delta, families: new Set([4]), failure: "none", upToDate: true, tookMs: 1, publishMs: 1 });
  }
  metrics.answered("healthz", 200);
  metrics.answered("livez", 503);
  metrics.slis.observe("healthz", "ping", true);
  return `${await metrics.text()}\n${(await metrics.slis.text()).replace(/^.*process_start_time_seconds.*\n/gm, "")}`;
}

/** `| name | type | labels |` of each. */
async function rowsOfRegistry(): Promise<readonly string[]> {
  return [...parseExposition(await scrapeAll())].map(([name, { type, samples }]) => {
    const labels = new Set(
      [...samples.keys()].flatMap((series) => [...series.matchAll(/([a-z_]+)="/g)].map(([, l]) => l)),
    );
    labels.delete("le");
    const cell = [...labels]
      .map((label) => `\`${label}\` `)
      .join(", ")
      .replaceAll("` ,", "`,");
    return `| \`${name}\` | ${type} | ${cell}|`;
  });
}

test("docs/metrics.md and the registry name the same", async () => {
  const document = readFileSync(`${root}/docs/metrics.md`, "utf8");
  const told = [
    ...document.matchAll(/^\| `(?:kubeproxy|kubernetes|portolan|process|rest_client)_.*?\|.*?\|.*?\|/gm),
  ].map(([row]) => row);
  expect([...told].sort()).toEqual([...(await rowsOfRegistry())].sort());
});
