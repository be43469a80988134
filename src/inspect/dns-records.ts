// SPDX-License-Identifier: Apache-2.0
// The records that cluster DNS holds for Services: Kubernetes' DNS specification 1.1, and where that leaves a choice (names
// of endpoints, weights of SRV) CoreDNS's. Pure.

import type { Endpoint, EndpointSlice } from "../model/endpoint-slice.ts";
import { familyOf, type Ip, ipToBytes, parseIp } from "../model/ip.ts";
import type { Service } from "../model/service.ts";
import type { DnsRow } from "./rows.ts";

/** What of a Service its records come from. */
export type DnsService = Pick<
  Service,
  "namespace" | "name" | "type" | "clusterIps" | "ports" | "headless" | "externalName"
>;

const SCHEMA_VERSION = "1.1.0";

/** slices: of headless Services; others count for nothing. zone: the cluster's domain, without a dot at its end. */
export function dnsRecords(
  services: readonly DnsService[],
  slices: readonly EndpointSlice[],
  zone: string,
): readonly DnsRow[] {
  const ofService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = `${slice.namespace}/${slice.serviceName}`;
    ofService.set(key, [...(ofService.get(key) ?? []), slice]);
  }
  const schema: DnsRow = { name: `dns-version.${zone}.`, type: "TXT", value: `"${SCHEMA_VERSION}"`, service: null };
  const inOrder = [...services].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
  const rows = inOrder.flatMap((service) => {
    const key = `${service.namespace}/${service.name}`;
    const records = new Records(`${service.name}.${service.namespace}.svc.${zone}.`, key);
    if (service.type === "ExternalName") external(service, records);
    else if (service.headless) headless(ofService.get(key) ?? [], records);
    else withAddress(service, records);
    return records.rows();
  });
  return [schema, ...rows];
}

/** A Service's records, each once. */
class Records {
  /** Of the Service, absolute. */
  readonly name: string;
  readonly #service: string;
  readonly #rows = new Map<string, DnsRow>();

  constructor(name: string, service: string) {
    this.name = name;
    this.#service = service;
  }

  add(name: string, type: DnsRow["type"], value: string): void {
    this.#rows.set(`${name} ${type} ${value}`, { name, type, value, service: this.#service });
  }

  address(name: string, ip: Ip): void {
    this.add(name, familyOf(ip) === 4 ? "A" : "AAAA", ip);
  }

  rows(): readonly DnsRow[] {
    return [...this.#rows.values()];
  }
}

/** A name outside; an address, which CNAME cannot mean, is none. */
function external({ externalName }: DnsService, records: Records): void {
  if (!externalName || parseIp(externalName)) return;
  records.add(records.name, "CNAME", absolute(externalName));
}

function withAddress({ clusterIps, ports }: DnsService, records: Records): void {
  for (const ip of clusterIps) records.address(records.name, ip);
  if (clusterIps.length === 0) return;
  for (const { name, protocol, port } of ports) {
    if (name !== "") records.add(...srv(records.name, name, protocol, port, records.name, clusterIps.length));
  }
  for (const ip of clusterIps) records.add(reverseName(ip), "PTR", records.name);
}

/** Ready endpoints, which those of a Service that publishes all are said to be. */
function headless(slices: readonly EndpointSlice[], records: Records): void {
  const ready = slices.flatMap(({ endpoints, ports }) =>
    endpoints.filter((endpoint) => endpoint.ready).map((endpoint) => ({ endpoint, ports })),
  );
  for (const { endpoint } of ready) records.address(records.name, endpoint.address);
  for (const { endpoint } of ready) records.address(endpointName(endpoint, records), endpoint.address);
  const shares = new Map<string, number>();
  const each = ready.flatMap(({ endpoint, ports }) =>
    ports.filter(({ name }) => name !== "").map((port) => ({ endpoint, port, key: `${port.name}/${port.protocol}` })),
  );
  for (const { key } of each) shares.set(key, (shares.get(key) ?? 0) + 1);
  for (const { endpoint, port, key } of each) {
    const target = endpointName(endpoint, records);
    records.add(...srv(records.name, port.name, port.protocol, port.port, target, shares.get(key) ?? 1));
  }
  for (const { endpoint } of ready) {
    records.add(reverseName(endpoint.address), "PTR", endpointName(endpoint, records));
  }
}

/** Its hostname, or the address with dashes, below the Service's name. */
function endpointName({ hostname, address }: Endpoint, { name }: Records): string {
  const dashed = address.replaceAll(/[.:]/g, "-");
  return `${hostname ?? (dashed.endsWith("-") ? `${dashed}0` : dashed)}.${name}`;
}

/** among: how many addresses share the weight. */
function srv(
  service: string,
  portName: string,
  protocol: string,
  port: number,
  target: string,
  among: number,
): [string, "SRV", string] {
  const weight = Math.max(1, Math.floor(100 / among));
  return [`_${portName}._${protocol.toLowerCase()}.${service}`, "SRV", `0 ${weight} ${port} ${target}`];
}

/** `1.0.96.10.in-addr.arpa.`, or nibbles below `ip6.arpa.` */
export function reverseName(ip: Ip): string {
  const bytes = [...ipToBytes(ip)];
  if (familyOf(ip) === 4) return `${bytes.slice(12).reverse().join(".")}.in-addr.arpa.`;
  const nibbles = bytes.flatMap((byte) => [byte >> 4, byte & 15]).reverse();
  return `${nibbles.map((nibble) => nibble.toString(16)).join(".")}.ip6.arpa.`;
}

/**
 * The records that a pod gets for what it asks, by the search path of its namespace and only then as it stands; of an
 * address its PTR records.
 */
export function lookUp(
  rows: readonly DnsRow[],
  asked: string,
  zone: string,
  namespace: string | undefined,
): readonly DnsRow[] {
  const ip = parseIp(asked);
  const search = namespace === undefined ? [] : [`${namespace}.svc.${zone}`];
  const paths = asked.endsWith(".") ? [] : [...search, `svc.${zone}`, zone];
  const names = ip ? [reverseName(ip)] : [...paths.map((path) => `${asked}.${path}.`), absolute(asked)];
  for (const name of names) {
    const found = rows.filter((row) => row.name.toLowerCase() === name.toLowerCase());
    if (found.length > 0) return found;
  }
  return [];
}

function absolute(name: string): string {
  return name.endsWith(".") ? name : `${name}.`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
