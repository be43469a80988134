// SPDX-License-Identifier: Apache-2.0
// What one service port is in the terms of IPVS: virtual servers, addresses that the node must take in, members of sets. Pure.

import type { CompiledService, Frontend, Member, SourceFilter } from "../../compile/state.ts";
import { type Cidr, type Family, familyOf, type Ip, parseIp } from "../../model/ip.ts";
import { at, serverName, type VirtualServer } from "../netfilter/virtual-servers.ts";
import { waysOf } from "../rules/traffic.ts";
import type { Surroundings } from "../rules/writer.ts";
import { type AnySet, kernelName } from "./sets.ts";

export interface Server extends VirtualServer {
  readonly scheduler: string;
  /** So long a client keeps its endpoint; 0: it does not. */
  readonly persistentSeconds: number;
  /** Weights by address and port, as ipvsadm has them. */
  readonly reals: ReadonlyMap<string, number>;
}

export interface Share {
  /** By serverName(). */
  readonly servers: ReadonlyMap<string, Server>;
  /** Of IPVS_DEVICE. */
  readonly vips: ReadonlySet<Ip>;
  /** `SET ENTRY`, as `ipset save` has them. */
  readonly members: ReadonlySet<string>;
}

export const NOTHING: Share = { servers: new Map(), vips: new Set(), members: new Set() };

/** One address and port that a frontend is served at. */
interface Place {
  readonly frontend: Frontend;
  readonly address: Ip;
}

/** scheduler: of the configuration; a Service may ask for "mh". */
export function shareOf(service: CompiledService, { nodeAddresses }: Surroundings, scheduler: string): Share {
  const { family, protocol } = service;
  const ofNode = nodeAddresses.filter(({ address }) => familyOf(address) === family);
  const own = new Set(ofNode.map(({ address }) => address));
  const nodePortAddresses = ofNode.filter(servesNodePorts).map(({ address }) => address);
  const places = service.frontends.flatMap((frontend): readonly Place[] =>
    (frontend.address === undefined ? nodePortAddresses : [frontend.address]).map((address) => ({ frontend, address })),
  );
  const servers = places.map(
    ({ frontend, address }): Server => ({
      protocol,
      address,
      port: frontend.port,
      scheduler: service.scheduler === "mh" ? "mh" : scheduler,
      persistentSeconds: service.affinitySeconds,
      reals: realsOf(service, frontend),
    }),
  );
  const vips = places.flatMap(({ frontend, address }) =>
    frontend.address === undefined || own.has(address) ? [] : [address],
  );
  const members = [
    ...places.flatMap((place) => membersOf(service, place)),
    ...vips.map((address) => member("KUBE-IPVS-IPS", family, address)),
    ...hairpins(service),
    ...healthChecks(service),
  ];
  return {
    servers: new Map(servers.map((server) => [serverName(server), server])),
    vips: new Set(vips),
    members: new Set(members),
  };
}

/** A link-local one would need its device beside it. */
function servesNodePorts({ nodePort, loopback, address }: Surroundings["nodeAddresses"][number]): boolean {
  return nodePort && !loopback && !address.startsWith("fe80:");
}

/**
 * With policy Local the pods' and the node's own connections go where those from outside do, for IPVS does not ask who comes: to
 * endpoints here, or if there are none, to all; then the sets keep those from outside away (row 33v, and 33).
 */
function realsOf(service: CompiledService, { kind }: Frontend): ReadonlyMap<string, number> {
  const { internal, outside, pods } = waysOf(service);
  const way = kind === "ClusterIP" ? internal : outside.members.length > 0 ? outside : pods;
  return new Map(way.members.map(({ address, port, weight }) => [at(address, port), weight]));
}

const BY_KIND: Readonly<
  Record<Exclude<Frontend["kind"], "NodePort">, readonly [all: AnySet, local: AnySet | undefined]>
> = {
  ClusterIP: ["KUBE-CLUSTER-IP", undefined],
  ExternalIP: ["KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"],
  LoadBalancer: ["KUBE-LOAD-BALANCER", "KUBE-LOAD-BALANCER-LOCAL"],
};

function membersOf(service: CompiledService, { frontend, address }: Place): readonly string[] {
  const { family, protocol, externalLocal, sources } = service;
  const place = `${address},${protocol.toLowerCase()}:${frontend.port}`;
  const inSet = (set: AnySet) => member(set, family, place);
  const { internal, outside } = waysOf(service);
  const way = frontend.kind === "ClusterIP" ? internal : outside;
  const dropped = way.members.length === 0 && way.otherwise === "drop";
  return [
    ...(frontend.kind === "NodePort" ? nodePortMembers(service, frontend, place) : []),
    ...(frontend.kind !== "NodePort" ? kindSets(frontend.kind, externalLocal).map(inSet) : []),
    ...(dropped ? [inSet(frontend.kind === "ClusterIP" ? "PORTOLAN-DROP" : "PORTOLAN-DROP-OUTSIDE")] : []),
    ...(sources?.kinds.includes(frontend.kind) ? sourceMembers(sources, family, place) : []),
  ];
}

function kindSets(kind: keyof typeof BY_KIND, externalLocal: boolean): readonly AnySet[] {
  const [all, local] = BY_KIND[kind];
  if (!externalLocal || local === undefined) return [all];
  return kind === "ExternalIP" ? [local] : [all, local]; // as kube-proxy has it
}

/** Those with policy Local are in both sets, the one for them is asked first. */
function nodePortMembers(
  { family, protocol, externalLocal }: CompiledService,
  { port }: Frontend,
  place: string,
): readonly string[] {
  const all: AnySet = protocol === "SCTP" ? "KUBE-NODE-PORT-SCTP-HASH" : `KUBE-NODE-PORT-${protocol}`;
  const local: AnySet = protocol === "SCTP" ? "KUBE-NODE-PORT-LOCAL-SCTP-HASH" : `KUBE-NODE-PORT-LOCAL-${protocol}`;
  const entry = protocol === "SCTP" ? place : String(port);
  return [all, ...(externalLocal ? [local] : [])].map((set) => member(set, family, entry));
}

/** Let in by INPUT, endpoints or not (row 47). */
function healthChecks({ family, healthCheckNodePort }: CompiledService): readonly string[] {
  return healthCheckNodePort === undefined
    ? []
    : [member("KUBE-HEALTH-CHECK-NODE-PORT", family, String(healthCheckNodePort))];
}

/** Endpoints here, which may ask for their own Service (row 39). */
function hairpins({ family, protocol, cluster, local }: CompiledService): readonly string[] {
  const entry = ({ address, port }: Member) => `${address},${protocol.toLowerCase()}:${port},${address}`;
  const here = [...cluster, ...local].filter((one) => one.local);
  return here.map((one) => member("KUBE-LOOP-BACK", family, entry(one)));
}

/** The longest range decides in a set too: "nomatch" is no. */
function sourceMembers({ rules }: SourceFilter, family: Family, place: string): readonly string[] {
  const unspecified = family === 4 ? "0.0.0.0/32" : "::/128";
  const ofNode = rules.find(({ range }) => text(range) === unspecified);
  const ranges = rules
    .filter((rule) => rule !== ofNode)
    .flatMap(({ range, admit }) => halves(range, family).map((half) => `${place},${half}${admit ? "" : " nomatch"}`));
  return [
    member("KUBE-LOAD-BALANCER-FW", family, place),
    ...ranges.map((entry) => member("KUBE-LOAD-BALANCER-SOURCE-CIDR", family, entry)),
    ...(ofNode?.admit ? [] : [member("PORTOLAN-DROP-NODE", family, place)]),
  ];
}

/** A set takes no range of everything. */
function halves(range: Cidr, family: Family): readonly string[] {
  if (range.prefixLength > 0) return [text(range, family)];
  return family === 4 ? ["0.0.0.0/1", "128.0.0.0/1"] : ["::/1", "8000::/1"];
}

/** As `ipset save` has it: a single address without its length. */
function text({ address, prefixLength }: Cidr, family?: Family): string {
  return family !== undefined && prefixLength === (family === 4 ? 32 : 128) ? address : `${address}/${prefixLength}`;
}

function member(set: AnySet, family: Family, entry: string): string {
  return `${kernelName(set, family)} ${entry}`;
}

/** A line of `ipset save` without its "add", with addresses as ours are written; undefined: another line. */
export function savedMember(line: string): string | undefined {
  const [, set, entry = ""] = /^add (\S+) (.+)$/.exec(line) ?? [];
  if (set === undefined) return undefined;
  const parts = entry.split(",").map((part) => {
    const [, address = "", rest = ""] = /^([0-9a-fA-F.:]+)(.*)$/.exec(part) ?? [];
    const ip = address.includes(".") || address.includes(":") ? parseIp(address) : undefined;
    return ip === undefined ? part : `${ip}${rest}`;
  });
  return `${set} ${parts.join(",")}`;
}
