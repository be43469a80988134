// SPDX-License-Identifier: Apache-2.0
// What the programs count and how much room there is left, read when somebody asks.

import { Counter, Gauge, type Registry } from "prom-client";
import { deviceFlagsNames } from "../datapath/ebpf/abi.gen.ts";
import type { Counters } from "../datapath/ebpf/counters.ts";
import type { MapFill } from "../datapath/ebpf/state-types.ts";
import { histogramText } from "./histogram-text.ts";
import { registerGauge } from "./read-gauge.ts";

export type DatapathCounters = Pick<Counters, "drops" | "fill" | "flows" | "devices" | "snatTries">;

export interface DatapathSubject {
  /** undefined: the mode counts nothing. */
  readonly counters: DatapathCounters | undefined;
  /** Services whose last change is not in the kernel. */
  readonly unserved: () => number;
  /** Objects of which something cannot be used. */
  readonly problems: () => number;
}

export function registerDatapathMetrics(registry: Registry, { counters, unserved, problems }: DatapathSubject): void {
  if (counters) registerCounters(registry, counters);
  registerGauge(
    registry,
    "portolan_services_unserved",
    "Service ports of one family whose last change is not in the kernel",
    unserved,
  );
  registerGauge(
    registry,
    "portolan_problem_objects",
    "Objects of which something cannot be used; the log says what",
    problems,
  );
}

function registerCounters(registry: Registry, counters: DatapathCounters): void {
  const registers = [registry];
  new Counter({
    name: "portolan_drops_total",
    help: "Packets and connect() calls that were not served, by reason, since the pinned maps were made",
    labelNames: ["reason"],
    registers,
    collect() {
      this.reset();
      for (const { name, count } of counters.drops()) this.inc({ reason: name }, Number(count));
    },
  });
  registerMaps(registry, counters);
  registerFlows(registry, counters);
  new Gauge({
    name: "portolan_devices",
    help: "Network devices with programs of ours, by what they are; one may be several things",
    labelNames: ["role"],
    registers,
    collect() {
      const devices = counters.devices();
      for (const [flag, role] of Object.entries(deviceFlagsNames)) {
        this.set({ role }, devices.filter((flags) => (flags & Number(flag)) !== 0).length);
      }
    },
  });
}

function registerMaps(registry: Registry, counters: DatapathCounters): void {
  let reading: ReturnType<DatapathCounters["fill"]> | undefined;
  /** One look for both, which are collected at once. */
  const fill = () => {
    reading ??= counters.fill().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const gauge = (name: string, help: string, read: (row: MapFill) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["map"],
      registers: [registry],
      async collect() {
        for (const row of await fill()) this.set({ map: row.map }, read(row));
      },
    });
  const swept = "of flows and nascent as of the last sweep, seconds ago";
  gauge("portolan_map_entries", `Entries of a map that are in use; ${swept}`, ({ used }) => used);
  gauge("portolan_map_max_entries", "Entries that a map has room for", ({ size }) => size);
}

function registerFlows(registry: Registry, counters: DatapathCounters): void {
  const gauge = (name: string, help: string, read: (flows: NonNullable<Counters["flows"]>) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const { flows } = counters;
        if (flows) this.set(read(flows));
      },
    });
  gauge("portolan_flows", "Connections on the wire path, as of the last sweep", ({ owners }) => owners);
  gauge("portolan_snat_ports", "Ports in use for masqueraded connections, as of the last sweep", ({ snat }) => snat);
}

/** Prometheus text. Pressure shows here before `portolan_drops_total` counts a connection that got no port. */
export function snatTriesText(counters: Pick<DatapathCounters, "snatTries">): string {
  const { buckets, tries } = counters.snatTries();
  const help = "Ports looked at until one was free for a masqueraded connection, since the pinned maps were made";
  const bounds = buckets.map((_, n) => 2 ** n);
  return histogramText("portolan_snat_port_tries", help, bounds, [{ counts: buckets, sum: tries }]);
}
