// SPDX-License-Identifier: Apache-2.0
// Counters of single Services: so many have a name of their own, the rest are one sum that never falls.

import { expect, test } from "vitest";
import type { ServiceKey } from "../../../src/compile/state.ts";
import type { ServiceCounts } from "../../../src/datapath/ebpf/counters.ts";
import { ServiceMetrics } from "../../../src/metrics/service-metrics.ts";
import { parseExposition } from "../../support/prometheus.ts";

function counts(name: string, connections: number, more: Partial<ServiceCounts> = {}): ServiceCounts {
  return { key: `shop/${name}:http/TCP/IPv4` as ServiceKey, connections, packets: 0, bytes: 0, rejects: 0, ...more };
}

/** Connections by name, as the text has them. */
function connections(metrics: ServiceMetrics, ...services: readonly ServiceCounts[]): Record<string, number> {
  const samples =
    parseExposition(metrics.text(services)).get("portolan_service_connections_total")?.samples ?? new Map();
  return Object.fromEntries([...samples].map(([series, value]) => [/service="([^"]*)"/.exec(series)?.[1], value]));
}

test("each counter of a service port stands under its names", () => {
  const web = counts("web", 3, { packets: 20, bytes: 4_294_967_296, rejects: 1 });
  const unnamed = { ...counts("", 7), key: "default/dns:/UDP/IPv6" as ServiceKey };
  expect(
    new ServiceMetrics(10).text([web, unnamed]),
  ).toBe(`# HELP portolan_service_connections_total New connections given to an endpoint, of sockets and on the wire
# TYPE portolan_service_connections_total counter
portolan_service_connections_total{namespace="shop",service="web",port="http",protocol="TCP",ip_family="IPv4"} 3
portolan_service_connections_total{namespace="default",service="dns",port="",protocol="UDP",ip_family="IPv6"} 7

# HELP portolan_service_packets_total Packets on the wire path, both directions; those of balanced sockets are not counted
# TYPE portolan_service_packets_total counter
portolan_service_packets_total{namespace="shop",service="web",port="http",protocol="TCP",ip_family="IPv4"} 20
portolan_service_packets_total{namespace="default",service="dns",port="",protocol="UDP",ip_family="IPv6"} 0

# HELP portolan_service_bytes_total Their bytes
# TYPE portolan_service_bytes_total counter
portolan_service_bytes_total{namespace="shop",service="web",port="http",protocol="TCP",ip_family="IPv4"} 4294967296
portolan_service_bytes_total{namespace="default",service="dns",port="",protocol="UDP",ip_family="IPv6"} 0

# HELP portolan_service_rejects_total New connections refused: for want of an endpoint, or by their source
# TYPE portolan_service_rejects_total counter
portolan_service_rejects_total{namespace="shop",service="web",port="http",protocol="TCP",ip_family="IPv4"} 1
portolan_service_rejects_total{namespace="default",service="dns",port="",protocol="UDP",ip_family="IPv6"} 0
`);
});

test("beyond the greatest number the rest are one sum", () => {
  const metrics = new ServiceMetrics(2);
  expect(connections(metrics, counts("a", 1), counts("b", 2), counts("c", 4), counts("d", 8))).toEqual({
    a: 1,
    b: 2,
    _other: 12,
  });
  expect(connections(new ServiceMetrics(2), counts("a", 1), counts("b", 2))).toEqual({ a: 1, b: 2 });
});

test("who has a name keeps it while it is there, and its place goes to the first of the others", () => {
  const metrics = new ServiceMetrics(2);
  connections(metrics, counts("b", 2), counts("c", 4));
  expect(connections(metrics, counts("a", 1), counts("b", 2), counts("c", 4))).toEqual({ b: 2, c: 4, _other: 1 });
  expect(connections(metrics, counts("a", 1), counts("c", 5))).toEqual({ a: 1, c: 5, _other: 1 });
});

test("the sum never falls: not when one of the others goes, is made anew, or gets a name", () => {
  const metrics = new ServiceMetrics(1);
  const a = counts("a", 1);
  expect(connections(metrics, a, counts("b", 10), counts("c", 100))).toEqual({ a: 1, _other: 110 });
  expect(connections(metrics, a, counts("c", 101))).toEqual({ a: 1, _other: 111 });
  expect(connections(metrics, a, counts("b", 3), counts("c", 101))).toEqual({ a: 1, _other: 114 });
  expect(connections(metrics, a, counts("b", 2), counts("c", 101))).toEqual({ a: 1, _other: 116 });
  expect(connections(metrics, counts("b", 4), counts("c", 101))).toEqual({ b: 4, _other: 116 });
  expect(connections(metrics, counts("b", 4))).toEqual({ b: 4, _other: 116 });
});
