// SPDX-License-Identifier: Apache-2.0
// The records of cluster DNS for Services: Kubernetes' DNS specification 1.1, written out.

import { expect, test } from "vitest";
import { type DnsService, dnsRecords, lookUp, reverseName } from "../../../src/inspect/dns-records.ts";
import type { EndpointSlice } from "../../../src/model/endpoint-slice.ts";
import type { Ip } from "../../../src/model/ip.ts";
import { toEndpointSlice } from "../../../src/source/endpoint-slice.ts";
import { Field } from "../../../src/source/field.ts";
import { toService } from "../../../src/source/service.ts";

const refuse = (problem: Error): never => {
  throw problem;
};

function service(name: string, spec: object): DnsService {
  return toService(new Field({ metadata: { namespace: "shop", name }, spec }, refuse));
}

function slice(serviceName: string, addressType: string, object: object): EndpointSlice {
  const labels = { "kubernetes.io/service-name": serviceName, "service.kubernetes.io/headless": "" };
  const metadata = { namespace: "shop", name: `${serviceName}-${addressType.toLowerCase()}`, labels };
  return toEndpointSlice(new Field({ metadata, addressType, ...object }, refuse), (text) => text);
}

/** As lines of a zone file, without those of the zone itself. */
function records(services: readonly DnsService[], slices: readonly EndpointSlice[] = []): readonly string[] {
  const rows = dnsRecords(services, slices, "cluster.local").filter((row) => row.service !== null);
  return rows.map(({ name, type, value }) => `${name} ${type} ${value}`);
}

test("a ClusterIP: addresses, SRV of named ports, PTR", () => {
  const web = service("web", {
    clusterIPs: ["10.96.0.80", "fd00:10:96::80"],
    ports: [
      { name: "http", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ],
  });
  expect(records([web])).toEqual([
    "web.shop.svc.cluster.local. A 10.96.0.80",
    "web.shop.svc.cluster.local. AAAA fd00:10:96::80",
    "_http._tcp.web.shop.svc.cluster.local. SRV 0 50 80 web.shop.svc.cluster.local.",
    "_dns._udp.web.shop.svc.cluster.local. SRV 0 50 53 web.shop.svc.cluster.local.",
    "80.0.96.10.in-addr.arpa. PTR web.shop.svc.cluster.local.",
    "0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. PTR web.shop.svc.cluster.local.",
  ]);
});

test("a port without a name has no SRV; endpoints of a Service with an address have no records", () => {
  const web = service("web", { clusterIP: "10.96.0.80", ports: [{ port: 80 }] });
  const slices = [slice("web", "IPv4", { endpoints: [{ addresses: ["10.1.0.1"] }], ports: [{ port: 8080 }] })];
  expect(records([web], slices)).toEqual([
    "web.shop.svc.cluster.local. A 10.96.0.80",
    "80.0.96.10.in-addr.arpa. PTR web.shop.svc.cluster.local.",
  ]);
});

test("headless: the ready endpoints, each by its hostname or its address as well, with target ports", () => {
  const db = service("db", { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] });
  const endpoints = [
    { addresses: ["10.1.0.1"], hostname: "db-0" },
    { addresses: ["10.1.0.2"] },
    { addresses: ["10.1.0.3"], conditions: { ready: false, serving: true, terminating: true } },
  ];
  const v4 = slice("db", "IPv4", { endpoints, ports: [{ name: "sql", port: 15432 }] });
  const v6 = slice("db", "IPv6", { endpoints: [{ addresses: ["fd00:1::"] }], ports: [{ name: "sql", port: 15432 }] });
  expect(records([db], [v4, v6])).toEqual([
    "db.shop.svc.cluster.local. A 10.1.0.1",
    "db.shop.svc.cluster.local. A 10.1.0.2",
    "db.shop.svc.cluster.local. AAAA fd00:1::",
    "db-0.db.shop.svc.cluster.local. A 10.1.0.1",
    "10-1-0-2.db.shop.svc.cluster.local. A 10.1.0.2",
    "fd00-1--0.db.shop.svc.cluster.local. AAAA fd00:1::",
    "_sql._tcp.db.shop.svc.cluster.local. SRV 0 33 15432 db-0.db.shop.svc.cluster.local.",
    "_sql._tcp.db.shop.svc.cluster.local. SRV 0 33 15432 10-1-0-2.db.shop.svc.cluster.local.",
    "_sql._tcp.db.shop.svc.cluster.local. SRV 0 33 15432 fd00-1--0.db.shop.svc.cluster.local.",
    "1.0.1.10.in-addr.arpa. PTR db-0.db.shop.svc.cluster.local.",
    "2.0.1.10.in-addr.arpa. PTR 10-1-0-2.db.shop.svc.cluster.local.",
    `${"0.".repeat(24)}1.0.0.0.0.0.d.f.ip6.arpa. PTR fd00-1--0.db.shop.svc.cluster.local.`,
  ]);
});

test("an ExternalName is a CNAME, unless it is an address; without an address or endpoints there is nothing", () => {
  const services = [
    service("out", { type: "ExternalName", externalName: "db.example.com" }),
    service("ip", { type: "ExternalName", externalName: "192.0.2.1" }),
    service("empty", { clusterIP: "None" }),
    service("unassigned", { ports: [{ name: "http", port: 80 }] }),
  ];
  expect(records(services)).toEqual(["out.shop.svc.cluster.local. CNAME db.example.com."]);
});

test("clusterIPs alone say headless too, and an ExternalName never does", () => {
  expect(service("a", { clusterIPs: ["None"] }).headless).toBe(true);
  expect(service("b", { clusterIP: "None", type: "ExternalName", externalName: "a.b" }).headless).toBe(false);
});

test("the zone has its version", () => {
  expect(dnsRecords([], [], "corp.example")).toEqual([
    { name: "dns-version.corp.example.", type: "TXT", value: '"1.1.0"', service: null },
  ]);
});

test("reverse names", () => {
  expect(reverseName("10.96.0.1" as Ip)).toBe("1.0.96.10.in-addr.arpa.");
  const nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
  expect(reverseName("2001:db8::1" as Ip)).toBe(`${nibbles}.ip6.arpa.`);
});

test("a name is looked for as a pod's resolver does: its namespace, the zone's Services, the zone, then as it stands", () => {
  const web = service("web", { clusterIP: "10.96.0.80", ports: [{ name: "http", port: 80 }] });
  const rows = dnsRecords([web], [], "cluster.local");
  const found = (asked: string, namespace?: string) =>
    lookUp(rows, asked, "cluster.local", namespace).map(({ type, value }) => `${type} ${value}`);
  const addresses = ["A 10.96.0.80"];
  expect(found("web", "shop")).toEqual(addresses);
  expect(found("web")).toEqual([]);
  expect(found("web", "default")).toEqual([]);
  expect(found("web.shop", "default")).toEqual(addresses);
  expect(found("web.shop.svc")).toEqual(addresses);
  expect(found("WEB.shop.svc.cluster.local")).toEqual(addresses);
  expect(found("web.shop.svc.cluster.local.")).toEqual(addresses);
  expect(found("web.shop.")).toEqual([]);
  expect(found("_http._tcp.web", "shop")).toEqual(["SRV 0 100 80 web.shop.svc.cluster.local."]);
  expect(found("10.96.0.80")).toEqual(["PTR web.shop.svc.cluster.local."]);
  expect(found("10.96.0.81")).toEqual([]);
});
