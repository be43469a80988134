// SPDX-License-Identifier: Apache-2.0
// Counters of single Services, bounded: so many service ports have a name of their own, all others are one. Written as
// text here, for as many series as there may be would be slow as objects and stay in memory.

import type { ServiceKey } from "../compile/state.ts";
import type { ServiceCounts } from "../datapath/ebpf/counters.ts";

type CounterName = keyof Omit<ServiceCounts, "key">;

export const SERVICE_METRICS: readonly {
  readonly counter: CounterName;
  readonly name: string;
  readonly help: string;
}[] = [
  {
    counter: "connections",
    name: "portolan_service_connections_total",
    help: "New connections given to an endpoint, of sockets and on the wire",
  },
  {
    counter: "packets",
    name: "portolan_service_packets_total",
    help: "Packets on the wire path, both directions; those of balanced sockets are not counted",
  },
  { counter: "bytes", name: "portolan_service_bytes_total", help: "Their bytes" },
  {
    counter: "rejects",
    name: "portolan_service_rejects_total",
    help: "New connections refused: for want of an endpoint, or by their source",
  },
];

const LABELS = ["namespace", "service", "port", "protocol", "ip_family"] as const;
const OTHER = labelText(["_other", "_other", "", "", ""]);

export class ServiceMetrics {
  readonly #max: number;
  /** Whoever has a name of its own keeps it: a series that came and went would be none. Label text by key. */
  readonly #named = new Map<ServiceKey, string>();
  /** Of the others, as last seen. */
  readonly #seen = new Map<ServiceKey, ServiceCounts>();
  /** Of the others, those that are gone included. */
  readonly #other: Record<CounterName, number> = { connections: 0, packets: 0, bytes: 0, rejects: 0 };

  /** max: service ports with a name of their own. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Prometheus text of all four, each with HELP and TYPE. */
  text(services: readonly ServiceCounts[]): string {
    this.#name(services);
    const others = this.#sumOthers(services);
    return SERVICE_METRICS.map(({ counter, name, help }) => {
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} counter`];
      for (const service of services) {
        const labels = this.#named.get(service.key);
        if (labels !== undefined) lines.push(`${name}${labels} ${service[counter]}`);
      }
      if (others) lines.push(`${name}${OTHER} ${this.#other[counter]}`);
      return `${lines.join("\n")}\n`;
    }).join("\n");
  }

  #name(services: readonly ServiceCounts[]): void {
    forgetGone(this.#named, services);
    for (const { key } of services) {
      if (this.#named.size >= this.#max) return;
      if (this.#named.has(key)) continue;
      this.#named.set(key, labelsOf(key));
      this.#seen.delete(key);
    }
  }

  /** By what each has grown, so that the sum never falls. Whether there are, or were, any. */
  #sumOthers(services: readonly ServiceCounts[]): boolean {
    const sum = this.#other;
    forgetGone(this.#seen, services);
    for (const service of services) {
      if (this.#named.has(service.key)) continue;
      const last = this.#seen.get(service.key);
      sum.connections += growth(last?.connections, service.connections);
      sum.packets += growth(last?.packets, service.packets);
      sum.bytes += growth(last?.bytes, service.bytes);
      sum.rejects += growth(last?.rejects, service.rejects);
      this.#seen.set(service.key, service);
    }
    return this.#seen.size > 0 || Object.values(sum).some((count) => count > 0);
  }
}

/** What is less than before was made anew. */
function growth(before: number | undefined, now: number): number {
  return before !== undefined && now >= before ? now - before : now;
}

/** Most times nobody is gone, which is seen without a set of all. */
function forgetGone(known: Map<ServiceKey, unknown>, services: readonly ServiceCounts[]): void {
  let there = 0;
  for (const { key } of services) if (known.has(key)) there++;
  if (there === known.size) return;
  const keys = new Set(services.map(({ key }) => key));
  for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
}

/** Of `namespace/name:port/TCP/IPv4`. */
function labelsOf(key: ServiceKey): string {
  const [namespace = "", named = "", protocol = "", family = ""] = key.split("/");
  const colon = named.indexOf(":");
  return labelText([namespace, named.slice(0, colon), named.slice(colon + 1), protocol, family]);
}

/** Names of Kubernetes need no escaping. */
function labelText(values: readonly string[]): string {
  return `{${LABELS.map((label, i) => `${label}="${values[i]}"`).join(",")}}`;
}
