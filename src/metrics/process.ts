// SPDX-License-Identifier: Apache-2.0
// The process_ metrics that every Prometheus client has. prom-client's own set comes with timers and observers that
// wake an idle process a hundred times a second; these are read when somebody asks.

import { readdirSync, readFileSync } from "node:fs";
import { Counter, type Registry } from "prom-client";
import { registerGauge } from "./read-gauge.ts";

const MICROSECONDS = 1e6;

/** When the process began, by the clock as it is now; ms. */
export function processStartMs(): number {
  return Date.now() - process.uptime() * 1000;
}

export function registerProcessStart(registry: Registry): void {
  registerGauge(registry, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () =>
    Math.round(processStartMs() / 1000),
  );
}

export function registerProcessMetrics(registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number) => registerGauge(registry, name, help, read);
  registerProcessStart(registry);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtualBytes);
  gauge("process_open_fds", "Number of open file descriptors.", () => readdirSync("/proc/self/fd").length - 1);
  gauge("process_max_fds", "Maximum number of open file descriptors.", maxFds);
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / MICROSECONDS);
    },
  });
}

/** VmSize of proc(5). */
function virtualBytes(): number {
  const [, kilobytes] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** The soft limit. */
function maxFds(): number {
  const [, limit] = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}
