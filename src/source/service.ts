// SPDX-License-Identifier: Apache-2.0
// v1 Service -> model, with the API server's defaults: a manifest may leave out what it would fill in.

import { familyOf, type Ip } from "../model/ip.ts";
import type { Protocol, Service, ServicePort } from "../model/service.ts";
import { withoutSpare } from "../model/without-spare.ts";
import type { Field } from "./field.ts";
import { hasLabel, namespacedName } from "./metadata.ts";

export const PROTOCOLS: readonly Protocol[] = ["TCP", "UDP", "SCTP"];
const TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;
const POLICIES = ["Cluster", "Local"] as const;

/** Throws InvalidField. */
export function toService(object: Field): Service {
  const metadata = object.at("metadata");
  const spec = object.at("spec");
  const type = spec.at("type").word(TYPES, "ClusterIP");
  const clusterIps = clusterIpsOf(spec);
  const ports = portsOf(spec.at("ports"));
  if (ports.length === 0 && clusterIps.length > 0 && type !== "ExternalName") {
    spec.at("ports").fail("is empty: name at least one port");
  }
  const { namespace, name } = namespacedName(object, 63);
  return {
    kind: "Service",
    namespace,
    name,
    type,
    createdMs: timestamp(metadata.at("creationTimestamp")),
    foreignProxy: hasLabel(object, "service.kubernetes.io/service-proxy-name"),
    clusterIps,
    externalIps: addresses(spec.at("externalIPs").items()),
    loadBalancerIps: loadBalancerIps(object),
    internalTrafficPolicy: spec.at("internalTrafficPolicy").word(POLICIES, "Cluster"),
    externalTrafficPolicy: spec.at("externalTrafficPolicy").word(POLICIES, "Cluster"),
    healthCheckNodePort: spec.at("healthCheckNodePort").port() ?? 0,
    ports,
    scheduler: metadata.at("annotations").at("portolan.dev/scheduler").string(),
  };
}

/** What an API server would have assigned and nobody has: the fields, and what their absence means. */
export function unassigned(object: Field, service: Service): readonly { field: Field; message: string }[] {
  const spec = object.at("spec");
  if (service.type === "ExternalName" || spec.peek("clusterIP") === "None" || service.foreignProxy) return [];
  if (service.clusterIps.length === 0) {
    const message = "is missing, so this Service is not served: set an address, or None if it is meant to be headless";
    return spec.at("clusterIPs").items().length > 0 ? [] : [{ field: spec.at("clusterIP"), message }];
  }
  const { type, externalTrafficPolicy, healthCheckNodePort } = service;
  if (type === "LoadBalancer" && externalTrafficPolicy === "Local" && healthCheckNodePort === 0) {
    const unanswered = "is missing, so no load balancer can ask whether this node has endpoints: set a free port";
    return [{ field: spec.at("healthCheckNodePort"), message: unanswered }];
  }
  if (type !== "NodePort") return [];
  const message = "is missing, so this port is served on no node port: set a free port, usually 30000 to 32767";
  const fields = spec
    .at("ports")
    .items()
    .map((port) => port.at("nodePort"));
  return fields.filter((field) => field.port() === undefined).map((field) => ({ field, message }));
}

/** clusterIPs, or clusterIP in objects older than it; none for a headless Service. */
function clusterIpsOf(spec: Field): readonly Ip[] {
  const list = spec.at("clusterIPs").items();
  const fields = list.length > 0 ? list : [spec.at("clusterIP")];
  const ips: Ip[] = [];
  for (const field of fields) {
    if (field.string() === "None") continue;
    const ip = field.ip();
    if (ip === undefined) continue;
    if (ips.some((other) => familyOf(other) === familyOf(ip)))
      field.fail("is the second of its family: one IPv4 and one IPv6 address at most");
    ips.push(ip);
  }
  return withoutSpare(ips);
}

function portsOf(list: Field): readonly ServicePort[] {
  const fields = list.items();
  const names = new Set<string>();
  return fields.map((field) => {
    const name = field.at("name").string() ?? "";
    if (name.length > 63) field.at("name").fail(`has ${name.length} characters: at most 63 are allowed`);
    if (fields.length > 1 && (name === "" || names.has(name))) {
      field.at("name").fail("every port of a Service with several ports needs a name of its own");
    }
    names.add(name);
    return {
      name,
      protocol: field.at("protocol").word(PROTOCOLS, "TCP"),
      port: field.at("port").requiredPort(),
      nodePort: field.at("nodePort").port() ?? 0,
    };
  });
}

/** Row 26: an entry with ipMode Proxy, or only a hostname, is another's to serve. */
function loadBalancerIps(object: Field): readonly Ip[] {
  const entries = object.at("status").at("loadBalancer").at("ingress").items();
  const vips = entries.filter((entry) => entry.at("ipMode").word(["VIP", "Proxy"], "VIP") === "VIP");
  return addresses(vips.map((entry) => entry.at("ip")));
}

function addresses(fields: readonly Field[]): readonly Ip[] {
  const ips = fields.map((field) => field.ip()).filter((ip) => ip !== undefined);
  return [...new Set(ips)];
}

function timestamp(field: Field): number {
  const text = field.string();
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const ms = Date.parse(text);
  return Number.isNaN(ms)
    ? field.fail(`${JSON.stringify(text)} is not a time: use one such as 2026-01-31T12:00:00Z`)
    : ms;
}
