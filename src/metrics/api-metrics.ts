// SPDX-License-Identifier: Apache-2.0
// What is asked of an API server and heard from it: client-go's names where it has them, read when somebody asks.

import { Counter, Gauge, type Registry } from "prom-client";
import { type ApiActivity, REQUEST_SECONDS, type ReflectorCounts } from "../model/api-activity.ts";
import { histogramText } from "./histogram-text.ts";

type Read = () => ApiActivity;
/** Label values in turn, and the number. */
type Row = readonly [labels: Readonly<Record<string, string>>, value: number];

export function registerApiMetrics(registry: Registry, read: Read): void {
  counter(
    registry,
    "rest_client_requests_total",
    "Number of HTTP requests, partitioned by status code, method, and host.",
    ["code", "method", "host"],
    () => read().requests.map(({ code, method, host, count }) => [{ code, method, host }, count]),
  );
  const rows = (of: (one: ReflectorCounts) => readonly Row[]) => () =>
    read().reflectors.flatMap((one) =>
      of(one).map(([labels, value]): Row => [{ resource: one.resource, ...labels }, value]),
    );
  const reflector = (
    name: string,
    help: string,
    labels: readonly string[],
    of: (one: ReflectorCounts) => readonly Row[],
  ) => counter(registry, `portolan_reflector_${name}_total`, help, ["resource", ...labels], rows(of));
  reflector("lists", "Whole states told by the API server; all but the first are relists", ["by"], (one) => [
    [{ by: "list" }, one.lists],
    [{ by: "watch-list" }, one.watchLists],
  ]);
  reflector("watches", "Watches that began, those included that begin with the whole state", [], ({ watches }) => [
    [{}, watches],
  ]);
  reflector("watch_ends", "Watches that ended, by why", ["reason"], ({ watchEnds }) =>
    [...watchEnds].map(([reason, count]) => [{ reason }, count]),
  );
  reflector("events", "Events of watches", ["type"], ({ events }) =>
    [...events].map(([type, count]) => [{ type }, count]),
  );
  gauge(
    registry,
    "portolan_reflector_last_resource_version",
    "Version of the last object or bookmark that was told",
    rows(({ version = "" }) => (/^\d+$/.test(version) ? [[{}, Number(version)]] : [])),
  );
  gauge(
    registry,
    "portolan_reflector_silence_seconds",
    "Since the API server was last heard; bookmarks come about once a minute",
    rows(({ silentMs }) => (silentMs === undefined ? [] : [[{}, silentMs / 1000]])),
  );
}

/** Prometheus text. */
export function requestTimesText({ times }: ApiActivity): string {
  const help = "Request latency in seconds. Broken down by verb, and host.";
  const series = times.map(({ verb, host, counts, sumSeconds }) => ({
    labels: { host, verb },
    counts,
    sum: sumSeconds,
  }));
  return histogramText("rest_client_request_duration_seconds", help, REQUEST_SECONDS, series);
}

function counter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  rows: () => readonly Row[],
): void {
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of rows()) this.inc(labels, value);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, rows: () => readonly Row[]): void {
  new Gauge({
    name,
    help,
    labelNames: ["resource"],
    registers: [registry],
    collect() {
      for (const [labels, value] of rows()) this.set(labels, value);
    },
  });
}
