// SPDX-License-Identifier: Apache-2.0
// The variables that kubelet would give a pod started now: pkg/kubelet/envvars and getServiceEnvVarMap of Kubernetes 1.37.
// Pure.

import type { Service } from "../model/service.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { EnvRow } from "./rows.ts";

/** What of a Service its variables come from; the first address and the first port count. */
export type NamedService = Pick<Service, "namespace" | "name" | "type" | "clusterIps" | "ports">;

/** Every pod is told of these of namespace default, whatever it asks for. */
const MASTER_SERVICES: readonly string[] = ["kubernetes"];

/** links: the pod's enableServiceLinks, with which it is told of all Services of its namespace. By name. */
export function podEnv(services: readonly NamedService[], namespace: string, links: boolean): readonly EnvRow[] {
  const told = new Map<string, NamedService>();
  const hasAddress = services.filter(({ type, clusterIps }) => type !== "ExternalName" && clusterIps.length > 0);
  for (const service of hasAddress) {
    if (service.namespace === "default" && MASTER_SERVICES.includes(service.name)) told.set(service.name, service);
  }
  // One of the namespace's own comes before a master service of its name.
  for (const service of links ? hasAddress : []) if (service.namespace === namespace) told.set(service.name, service);
  return [...told.values()].flatMap(variables).sort((a, b) => compare(a.name, b.name) || compare(a.service, b.service));
}

/** Names that two Services set: `FOO_SERVICE_PORT` is one of foo, and of foo-service. kubelet then takes either. */
export function contested(rows: readonly EnvRow[]): readonly string[] {
  const names = rows.map(({ name }) => name);
  return [...new Set(names.filter((name, i) => name === names[i - 1]))];
}

function variables({ namespace, name, clusterIps, ports }: NamedService): readonly EnvRow[] {
  const [host] = clusterIps;
  const [first] = ports;
  if (host === undefined || first === undefined) return [];
  const prefix = variableName(name);
  const urlOf = ({ protocol, port }: (typeof ports)[number]) =>
    `${protocol.toLowerCase()}://${formatEndpoint(host, port)}`;
  const named = ports.filter((port) => port.name !== "");
  const pairs: (readonly [string, string])[] = [
    [`${prefix}_SERVICE_HOST`, host],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...named.map((port) => [`${prefix}_SERVICE_PORT_${variableName(port.name)}`, String(port.port)] as const),
    [`${prefix}_PORT`, urlOf(first)],
  ];
  for (const port of ports) {
    const of = `${prefix}_PORT_${port.port}_${port.protocol}`;
    pairs.push([of, urlOf(port)], [`${of}_PROTO`, port.protocol.toLowerCase()]);
    pairs.push([`${of}_PORT`, String(port.port)], [`${of}_ADDR`, host]);
  }
  return pairs.map(([variable, value]) => ({ name: variable, value, service: `${namespace}/${name}` }));
}

function variableName(name: string): string {
  return name.replaceAll("-", "_").toUpperCase();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
