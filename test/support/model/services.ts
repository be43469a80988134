// SPDX-License-Identifier: Apache-2.0
// The reference model's frontends: rows 1, 3-6, 8, 12 and 24-27, and which Service has an address that several name.

import { type Address, addressOf, type Family } from "./address.ts";
import type { PortOfService } from "./endpoints.ts";
import { once } from "./once.ts";
import { hasRanges } from "./sources.ts";
import type { Packet, Policy, ServiceManifest, World } from "./world.ts";

export type Kind = "ClusterIP" | "ExternalIP" | "LoadBalancer" | "NodePort";

export interface Frontend extends PortOfService {
  readonly kind: Kind;
  /** undefined: a NodePort */
  readonly address: Address | undefined;
  readonly port: number;
  readonly internalPolicy: Policy;
  readonly externalPolicy: Policy;
  /** Unix time in ms; Infinity when not known. */
  readonly created: number;
  readonly manifest: ServiceManifest;
  /** The load balancer's addresses of its Service and family. */
  readonly balancers: readonly Address[];
}

/** The frontend that a packet meets, if any. */
export function frontendOf(world: World, packet: Packet): Frontend | undefined {
  const destination = addressOf(packet.destination);
  const candidates = frontendsIn(world).filter(({ family, protocol, port }) => {
    return family === destination.family && protocol === packet.protocol && port === packet.port;
  });
  const exact = oldest(candidates.filter(({ address }) => address?.text === destination.text));
  if (exact) return exact; // row 27: NodePorts come last
  if (!servesNodePorts(world, packet, destination)) return undefined;
  return oldest(candidates.filter(({ kind }) => kind === "NodePort"));
}

export const frontendsIn: (world: World) => readonly Frontend[] = once(({ services }) => services.flatMap(frontendsOf));
/**
 * Row 46: some port is served there as a cluster IP's, whatever the packet asks for. The node's own addresses, and cluster
 * IPs of Services that are not served here (row 1), are others' to refuse.
 */
export function isClusterIp(world: World, packet: Packet): boolean {
  const destination = addressOf(packet.destination).text;
  const foreign = world.services.filter((service) => !isServed(service)).flatMap(clusterIps);
  const others = [...foreign, ...world.addresses.map(({ address }) => addressOf(address))];
  if (others.some(({ text }) => text === destination)) return false;
  const there = world.services.flatMap(frontendsOf).filter(({ address }) => address?.text === destination);
  const rivals = ({ port, protocol }: Frontend) =>
    there.filter((other) => other.port === port && other.protocol === protocol);
  return there.some((frontend) => oldest(rivals(frontend))?.kind === "ClusterIP");
}

/** Any address of any Service, served here or not, a load balancer's own too. */
export function isServices({ services }: World, packet: Packet): boolean {
  const destination = addressOf(packet.destination).text;
  return services.some((service) => {
    const { externalIPs } = service.spec;
    const balanced = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
    const addresses = [...clusterIps(service), ...[...(externalIPs ?? []), ...balanced].map(addressOf)];
    return addresses.some(({ text }) => text === destination);
  });
}

const UNSPECIFIED = new Set(["0.0.0.0", addressOf("::").text]);

/**
 * Rows 27 and 28: an address of the node that NodePorts are served on. Row 29, both families: loopback, and the
 * unspecified address that a process means it by, are for processes of the node alone.
 */
function servesNodePorts(world: World, packet: Packet, destination: Address): boolean {
  const ownProcess = packet.hook === "socket" && packet.client === "host";
  if (UNSPECIFIED.has(destination.text)) return ownProcess;
  const own = world.addresses.find(({ address }) => addressOf(address).text === destination.text);
  return own?.nodePort === true && (!own.loopback || ownProcess);
}

/** Rows 1, 3 and 4: what it asks for, whoever gets it. */
export function frontendsOf(service: ServiceManifest): readonly Frontend[] {
  if (!isServed(service)) return [];
  return clusterIps(service).flatMap((clusterIp) => ofFamily(service, clusterIp));
}

/** Rows 1 and 3 */
function isServed({ metadata, spec }: ServiceManifest): boolean {
  return metadata.labels?.["service.kubernetes.io/service-proxy-name"] === undefined && spec.type !== "ExternalName";
}

/** Row 6: clusterIPs, or clusterIP in objects older than it. Row 3: "None" and "" are headless. */
function clusterIps({ spec }: ServiceManifest): readonly Address[] {
  const written = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ""];
  return written.filter((text) => text !== "" && text !== "None").map(addressOf);
}

/** Row 6: a family has what is written in it, and only with a cluster IP of its own. */
function ofFamily(service: ServiceManifest, clusterIp: Address): readonly Frontend[] {
  const { metadata, spec } = service;
  const { family } = clusterIp;
  const external = (spec.externalIPs ?? []).map(addressOf).filter(sameFamily(family));
  const balanced = loadBalancerIps(service).filter(sameFamily(family));
  const created = metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : Number.POSITIVE_INFINITY;
  return spec.ports.flatMap((port) => {
    const of = {
      namespace: metadata.namespace ?? "default",
      service: metadata.name,
      portName: port.name ?? "",
      protocol: port.protocol ?? "TCP",
      family,
      internalPolicy: spec.internalTrafficPolicy ?? "Cluster",
      externalPolicy: honoursExternalPolicy(service) ? (spec.externalTrafficPolicy ?? "Cluster") : "Cluster",
      created,
      manifest: service,
      balancers: balanced,
    } as const;
    const frontends: Frontend[] = [{ ...of, kind: "ClusterIP", address: clusterIp, port: port.port }]; // row 24
    const add = (kind: Kind, addresses: readonly Address[]): void => {
      for (const address of addresses) {
        // row 4: an address named twice is one frontend
        if (frontends.some((known) => known.address?.text === address.text)) continue;
        frontends.push({ ...of, kind, address, port: port.port });
      }
    };
    if (hasRanges(service)) add("LoadBalancer", balanced); // row 44: the ranges close it, whatever else it is
    add("ExternalIP", external); // row 25
    add("LoadBalancer", balanced); // row 26
    if (port.nodePort) frontends.push({ ...of, kind: "NodePort", address: undefined, port: port.nodePort }); // row 27
    return frontends;
  });
}

/** Row 26: entries of ipMode VIP or none; those of Proxy and bare hostnames are another's. */
function loadBalancerIps({ status }: ServiceManifest): readonly Address[] {
  return (status?.loadBalancer?.ingress ?? [])
    .filter(({ ip, ipMode }) => Boolean(ip) && (ipMode ?? "VIP") === "VIP")
    .map(({ ip }) => addressOf(ip ?? ""));
}

function sameFamily(family: Family): (address: Address) => boolean {
  return (address) => address.family === family;
}

/** Row 5 */
function honoursExternalPolicy({ spec }: ServiceManifest): boolean {
  const type = spec.type ?? "ClusterIP";
  return type === "LoadBalancer" || type === "NodePort" || (spec.externalIPs ?? []).length > 0;
}

/** An address and port that several Services name belongs to the oldest, then to the first by name. */
function oldest(claims: readonly Frontend[]): Frontend | undefined {
  const nameOf = ({ namespace, service }: Frontend): string => `${namespace}/${service}`;
  return [...claims].sort((a, b) => a.created - b.created || (nameOf(a) < nameOf(b) ? -1 : 1))[0];
}
