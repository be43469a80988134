// SPDX-License-Identifier: Apache-2.0
// A compiled service in the numbers of the ABI. Pure.

import type { CompiledService, FrontendKind, Scheduler, ServiceKey } from "../../compile/state.ts";
import type { Protocol } from "../../model/service.ts";
import * as abi from "./abi.gen.ts";
import { ServiceTooLargeError } from "./errors.ts";

const { BLOCK_INTERNAL_LOCAL, BLOCK_EXTERNAL_LOCAL, BLOCK_HAS_ENDPOINTS, BLOCK_ENDS_CONNECTIONS } = abi.BlockFlags;

/** Positions in a set are 16 bits wide. */
const MAX_MEMBERS = 65535;

/** IPPROTO_* */
const PROTOCOLS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const SCHEDULERS: Readonly<Record<Scheduler, number>> = {
  default: abi.Scheduler.SCHEDULER_DEFAULT,
  random: abi.Scheduler.SCHEDULER_RANDOM,
  mh: abi.Scheduler.SCHEDULER_MAGLEV,
};
const TYPES: Readonly<Record<CompiledService["type"], number>> = {
  ClusterIP: abi.ServiceType.SERVICE_CLUSTER_IP,
  NodePort: abi.ServiceType.SERVICE_NODE_PORT,
  LoadBalancer: abi.ServiceType.SERVICE_LOAD_BALANCER,
};

const FRONTEND_KIND_NAMES: readonly FrontendKind[] = ["ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"];
export const FRONTEND_KINDS: Readonly<Record<FrontendKind, number>> = {
  ClusterIP: abi.FrontendKind.FRONTEND_CLUSTER_IP,
  NodePort: abi.FrontendKind.FRONTEND_NODE_PORT,
  ExternalIP: abi.FrontendKind.FRONTEND_EXTERNAL_IP,
  LoadBalancer: abi.FrontendKind.FRONTEND_LOAD_BALANCER,
};

/** The kind with this number; those that nobody writes are taken for a ClusterIP. */
export function frontendKindOf(number: number): FrontendKind {
  return FRONTEND_KIND_NAMES.find((kind) => FRONTEND_KINDS[kind] === number) ?? "ClusterIP";
}

/** Those of bits 1 << abi.FrontendKind. */
export function frontendKinds(bits: number): readonly FrontendKind[] {
  return FRONTEND_KIND_NAMES.filter((kind) => bits & (1 << FRONTEND_KINDS[kind]));
}

export function protocolNumber(protocol: Protocol): number {
  return PROTOCOLS[protocol];
}

/** "TCP" for 6; the number itself for one we do not write. */
export function protocolName(proto: number): string {
  return Object.entries(PROTOCOLS).find(([, number]) => number === proto)?.[0] ?? String(proto);
}

/** What a block header says of the service besides its endpoints. */
export type Traits = Pick<
  abi.BlockHeader,
  "scheduler" | "flags" | "sourceKinds" | "affinityTimeout" | "affinityEpoch" | "endsEpoch"
>;

/**
 * Affinity, and that connections end, begins with the service word that makes it so, whose epoch would be nextEpoch:
 * what clients had before that, of an earlier service of the same id too, is void, and ends not. before: the block in
 * force.
 */
export function traitsOf(service: CompiledService, before: Traits | undefined, nextEpoch: number): Traits {
  const affinityTimeout = service.affinitySeconds;
  const going = before !== undefined && before.affinityTimeout > 0;
  const ending = before !== undefined && endsConnections(before);
  return {
    scheduler: SCHEDULERS[service.scheduler],
    flags: blockFlags(service),
    sourceKinds: sourceKinds(service),
    affinityTimeout,
    affinityEpoch: affinityTimeout === 0 ? 0 : going ? before.affinityEpoch : nextEpoch,
    endsEpoch: !service.endsConnections ? 0 : ending ? before.endsEpoch : nextEpoch,
  };
}

function blockFlags(service: CompiledService): number {
  return (
    (service.internalLocal ? BLOCK_INTERNAL_LOCAL : 0) |
    (service.externalLocal ? BLOCK_EXTERNAL_LOCAL : 0) |
    (service.hasAnyEndpoints ? BLOCK_HAS_ENDPOINTS : 0) |
    (service.endsConnections ? BLOCK_ENDS_CONNECTIONS : 0)
  );
}

/** Whose sockets leave endpoints that serve no more; undefined where connections stay with theirs. */
export function leavingProtocol(service: CompiledService): "UDP" | "TCP" | undefined {
  return service.protocol === "UDP" ? "UDP" : service.endsConnections ? "TCP" : undefined;
}

export function endsConnections({ flags }: Pick<abi.BlockHeader, "flags">): boolean {
  return (flags & BLOCK_ENDS_CONNECTIONS) !== 0;
}

/** Bits 1 << abi.FrontendKind of the frontends that do not serve everybody. */
export function sourceKinds({ sources }: CompiledService): number {
  return (sources?.kinds ?? []).reduce((bits, kind) => bits | (1 << FRONTEND_KINDS[kind]), 0);
}

/** Lookup tables cost memory: only where something is chosen, and by Maglev. */
export function wantsTables(service: CompiledService): boolean {
  const empty = service.cluster.length === 0 && service.local.length === 0;
  if (empty || service.scheduler === "random") return false;
  return service.scheduler === "mh" || service.frontends.some((frontend) => frontend.kind !== "ClusterIP");
}

export function serviceMeta(service: CompiledService): abi.ServiceMeta {
  return {
    namespace: service.namespace,
    name: service.name,
    portName: service.portName,
    proto: protocolNumber(service.protocol),
    family: service.family,
    type: TYPES[service.type],
    flags: abi.ServiceMetaFlags.SERVICE_IN_USE,
  };
}

/** The key that compile gave the service, from what its meta cell says. */
export function keyOfMeta(meta: abi.ServiceMeta): ServiceKey {
  const { namespace, name, portName, proto, family } = meta;
  return `${namespace}/${name}:${portName}/${protocolName(proto)}/IPv${family}` as ServiceKey;
}

/** Throws ServiceTooLargeError when a set cannot be numbered. */
export function checkSize(service: CompiledService): void {
  const members = Math.max(service.cluster.length, service.local.length);
  if (members <= MAX_MEMBERS) return;
  throw new ServiceTooLargeError(
    `service ${service.key} has ${members} endpoints, more than the ${MAX_MEMBERS} one service port can have: ` +
      "split it into several Services",
  );
}
