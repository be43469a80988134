// SPDX-License-Identifier: Apache-2.0
// A Kubernetes Service, reduced to what decides where its traffic goes.

import type { Cidr, Ip } from "./ip.ts";

export const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;
export type Protocol = (typeof PROTOCOLS)[number];
export type ServiceType = "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";

/** The kind decides masquerade, traffic policy and whether sources are asked for (kube-proxy rows 24-37 and 44). */
export type FrontendKind = "ClusterIP" | "NodePort" | "ExternalIP" | "LoadBalancer";

/** From where a Service may be used: rows 44 and 45, and the annotations that go beyond them (docs/annotations.md). */
export interface SourceRanges {
  /** spec.loadBalancerSourceRanges, as far as they can be read. */
  readonly allowed: readonly Cidr[];
  /** These never, whatever else is allowed. */
  readonly denied: readonly Cidr[];
  /** A family that no allowed range is of serves nobody; else it serves everybody (row 45). */
  readonly strict: boolean;
  /** Kinds of frontends that all of it holds for. */
  readonly kinds: readonly FrontendKind[];
}

export interface ServicePort {
  /** "" for a single unnamed port. An EndpointSlice's port of this name and protocol holds the target port. */
  readonly name: string;
  readonly protocol: Protocol;
  /** 1..65535 */
  readonly port: number;
  /** 1..65535, 0: none */
  readonly nodePort: number;
}

export interface Service {
  readonly kind: "Service";
  readonly namespace: string;
  readonly name: string;
  readonly type: ServiceType;
  /** Unix time in ms; Infinity when not known. */
  readonly createdMs: number;
  /** The label service.kubernetes.io/service-proxy-name: another proxy serves it. */
  readonly foreignProxy: boolean;
  /** None for a headless Service. */
  readonly clusterIps: readonly Ip[];
  /** clusterIP None, which says that it is to have no address; cluster DNS answers with its endpoints then. */
  readonly headless?: boolean;
  /** Of type ExternalName: the name that cluster DNS answers with. */
  readonly externalName?: string | undefined;
  readonly externalIps: readonly Ip[];
  /** status.loadBalancer.ingress[].ip with ipMode VIP (row 26). */
  readonly loadBalancerIps: readonly Ip[];
  /** Those with ipMode Proxy: the load balancer's own to answer. */
  readonly proxiedIps: readonly Ip[];
  readonly internalTrafficPolicy: "Cluster" | "Local";
  readonly externalTrafficPolicy: "Cluster" | "Local";
  /** Where load balancers ask for this node's health (row 66): 1..65535, 0: none */
  readonly healthCheckNodePort: number;
  /** sessionAffinity ClientIP: seconds after its last connection in which a client keeps its endpoint; 0: None. */
  readonly affinitySeconds: number;
  readonly ports: readonly ServicePort[];
  /** undefined: everybody may use it. */
  readonly sourceRanges: SourceRanges | undefined;
  /** TCP connections end when their endpoint serves no more; else they stay with it (rows 50 and 61). */
  readonly endsConnections: boolean;
  /** The annotation portolan.dev/scheduler as it is written. */
  readonly scheduler: string | undefined;
}

/** Whether this proxy serves it (rows 1 and 3): not headless, not ExternalName, not another proxy's. */
export function isProxied(service: Service): boolean {
  return !service.foreignProxy && service.type !== "ExternalName" && service.clusterIps.length > 0;
}

/** Row 66: load balancers ask each node, at this port, whether it has endpoints of the Service. */
export function isHealthChecked(service: Service): boolean {
  if (service.healthCheckNodePort === 0 || service.type !== "LoadBalancer") return false;
  return service.externalTrafficPolicy === "Local" && isProxied(service);
}

/** Row 5: who does not meet this ignores externalTrafficPolicy. */
export function honoursExternalPolicy(service: Service): boolean {
  if (service.type === "LoadBalancer" || service.type === "NodePort") return true;
  return service.type === "ClusterIP" && service.externalIps.length > 0;
}
