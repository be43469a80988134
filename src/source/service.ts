// SPDX-License-Identifier: Apache-2.0
// v1 Service -> model, with the API server's defaults: a manifest may leave out what it would fill in.

import { type Family, familyOf, type Ip } from "../model/ip.ts";
import { PROTOCOLS, type Service, type ServicePort } from "../model/service.ts";
import { withoutSpare } from "../model/without-spare.ts";
import type { Field } from "./field.ts";
import { hasLabel, namespacedName } from "./metadata.ts";
import { readSourceRanges } from "./source-ranges.ts";

const TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;
const POLICIES = ["Cluster", "Local"] as const;
const AFFINITIES = ["None", "ClientIP"] as const;
const DEFAULT_AFFINITY_SECONDS = 10800;
const MAX_AFFINITY_SECONDS = 86400;

/** What cannot be used of it is left out. Throws InvalidField when nothing is left to serve. */
export function toService(object: Field): Service {
  const metadata = object.at("metadata");
  const spec = object.at("spec");
  const type = spec.at("type").orElse("ClusterIP", (field) => field.word(TYPES, "ClusterIP"));
  const policy = (name: string) => spec.at(name).orElse("Cluster", (field) => field.word(POLICIES, "Cluster"));
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
    createdMs: metadata.at("creationTimestamp").orElse(Number.POSITIVE_INFINITY, timestamp),
    foreignProxy: hasLabel(object, "service.kubernetes.io/service-proxy-name"),
    clusterIps,
    headless: type !== "ExternalName" && isHeadless(spec),
    externalName: type === "ExternalName" ? nameOutside(spec) : undefined,
    externalIps: addresses(spec.at("externalIPs").each((field) => field.ip(["loopback", "link-local"]))),
    ...balancedIps(object),
    internalTrafficPolicy: policy("internalTrafficPolicy"),
    externalTrafficPolicy: policy("externalTrafficPolicy"),
    healthCheckNodePort: spec.at("healthCheckNodePort").orElse(undefined, (field) => field.port()) ?? 0,
    affinitySeconds: affinitySeconds(spec),
    ports,
    sourceRanges: readSourceRanges(object),
    endsConnections: endsConnections(object),
    scheduler: annotation(metadata, "portolan.dev/scheduler"),
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
  const { type, externalTrafficPolicy } = service;
  const healthCheckNodePort = spec.at("healthCheckNodePort");
  if (type === "LoadBalancer" && externalTrafficPolicy === "Local" && !healthCheckNodePort.assigned) {
    const message = "is missing, so no load balancer can ask whether this node has endpoints: set a free port";
    return [{ field: healthCheckNodePort, message }];
  }
  if (type !== "NodePort") return [];
  const message = "is missing, so this port is served on no node port: set a free port, usually 30000 to 32767";
  const fields = spec
    .at("ports")
    .items()
    .map((port) => port.at("nodePort"));
  return fields.filter((field) => !field.assigned).map((field) => ({ field, message }));
}

function annotation(metadata: Field, name: string): string | undefined {
  return metadata.orElse(undefined, (field) => field.at("annotations").at(name).string());
}

function endsConnections(object: Field): boolean {
  return object.orElse(false, (whole) => {
    const annotations = whole.at("metadata").at("annotations");
    return annotations.at("portolan.dev/terminate-connections").word(["false", "true"], "false") === "true";
  });
}

function isHeadless(spec: Field): boolean {
  return (spec.peek("clusterIP") || spec.peek("clusterIPs", "0")) === "None";
}

function nameOutside(spec: Field): string | undefined {
  return spec.at("externalName").orElse(undefined, (field) => field.string()) || undefined;
}

/** clusterIPs, or clusterIP in objects older than it; none for a headless Service. */
function clusterIpsOf(spec: Field): readonly Ip[] {
  const families = new Set<Family>();
  const read = (field: Field): Ip | undefined => {
    if (field.string() === "None") return undefined;
    const ip = field.ip(["loopback"]);
    if (ip !== undefined && families.has(familyOf(ip))) {
      field.fail("is the second of its family: one IPv4 and one IPv6 address at most");
    }
    if (ip !== undefined) families.add(familyOf(ip));
    return ip;
  };
  const list = spec.at("clusterIPs");
  const ips = list.items().length > 0 ? list.some(read) : [read(spec.at("clusterIP"))];
  return withoutSpare(ips.filter((ip) => ip !== undefined));
}

function portsOf(list: Field): readonly ServicePort[] {
  const single = list.items().length === 1;
  /** Names, `80/TCP`, and `node port 30080/TCP` that ports before have. */
  const taken = new Set<string>();
  const claim = (field: Field, what: string): void => {
    if (taken.has(what)) field.fail(`${what} is that of a port before it: give each port its own`);
    taken.add(what);
  };
  return list.some((field) => {
    const name = field.at("name").string() ?? "";
    if (name.length > 63) field.at("name").fail(`has ${name.length} characters: at most 63 are allowed`);
    if (!single && (name === "" || taken.has(`name ${name}`))) {
      field.at("name").fail("every port of a Service with several ports needs a name of its own");
    }
    const protocol = field.at("protocol").word(PROTOCOLS, "TCP");
    const port = field.at("port").requiredPort();
    claim(field.at("port"), `${port}/${protocol}`);
    taken.add(`name ${name}`);
    const nodePort = field.at("nodePort").orElse(0, (given) => {
      const number = given.port() ?? 0;
      if (number !== 0) claim(given, `node port ${number}/${protocol}`);
      return number;
    });
    return { name, protocol, port, nodePort };
  });
}

/** Row 26: an entry with ipMode Proxy, or only a hostname, is another's to serve. */
function balancedIps(object: Field): Pick<Service, "loadBalancerIps" | "proxiedIps"> {
  const ingress = object.orElse(undefined, (field) => field.at("status").at("loadBalancer").at("ingress"));
  const entries = ingress?.each((entry) => {
    const served = entry.at("ipMode").word(["VIP", "Proxy"], "VIP") === "VIP";
    return { served, ip: entry.at("ip").ip(served ? ["loopback"] : []) };
  });
  const ipsOf = (wanted: boolean) => entries?.filter(({ served }) => served === wanted).map(({ ip }) => ip);
  return { loadBalancerIps: addresses(ipsOf(true) ?? []), proxiedIps: addresses(ipsOf(false) ?? []) };
}

function addresses(ips: readonly (Ip | undefined)[]): readonly Ip[] {
  return [...new Set(ips.filter((ip) => ip !== undefined))];
}

/** Rows 51 and 52; 0: None. */
function affinitySeconds(spec: Field): number {
  const affinity = spec.at("sessionAffinity").orElse("None", (field) => field.word(AFFINITIES, "None"));
  if (affinity === "None") return 0;
  return spec.at("sessionAffinityConfig").orElse(DEFAULT_AFFINITY_SECONDS, (config) => {
    const seconds = config.at("clientIP").at("timeoutSeconds").integer(1, MAX_AFFINITY_SECONDS);
    return seconds ?? DEFAULT_AFFINITY_SECONDS;
  });
}

function timestamp(field: Field): number {
  const text = field.string();
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const ms = Date.parse(text);
  return Number.isNaN(ms)
    ? field.fail(`${JSON.stringify(text)} is not a time: use one such as 2026-01-31T12:00:00Z`)
    : ms;
}
