// SPDX-License-Identifier: Apache-2.0
// What is read from an API server, and which part of it (kube-proxy's selectors, behaviour rows 1 and 2).

import type { ModelObject } from "../../model/changes.ts";

export interface ApiResource {
  /** `v1`, `discovery.k8s.io/v1` */
  readonly apiVersion: string;
  /** As in the path and in RBAC. */
  readonly plural: string;
}

export interface Resource extends ApiResource {
  readonly kind: ModelObject["kind"];
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What an agent that may not read it, or whose cluster has none, is without. undefined: it serves nothing without. */
  readonly without?: string;
}

/** "" for the core group. */
export function groupOf({ apiVersion }: Pick<ApiResource, "apiVersion">): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** namespace: undefined, of all. */
export function pathOf(resource: ApiResource, namespace?: string): string {
  const root = groupOf(resource) === "" ? "api" : "apis";
  const place = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `/${root}/${resource.apiVersion}${place}/${resource.plural}`;
}

/** Every Service and slice, also those that no proxy serves. */
export const ALL_SERVICES: readonly Resource[] = [
  { kind: "Service", apiVersion: "v1", plural: "services" },
  { kind: "EndpointSlice", apiVersion: "discovery.k8s.io/v1", plural: "endpointslices" },
];

/** For the agent of one node. */
export function resourcesOf(nodeName: string): readonly Resource[] {
  return [
    {
      kind: "Service",
      apiVersion: "v1",
      plural: "services",
      labelSelector: "!service.kubernetes.io/service-proxy-name",
      fieldSelector: "spec.clusterIP!=None",
    },
    {
      kind: "EndpointSlice",
      apiVersion: "discovery.k8s.io/v1",
      plural: "endpointslices",
      labelSelector: "!service.kubernetes.io/headless",
    },
    {
      kind: "Node",
      apiVersion: "v1",
      plural: "nodes",
      fieldSelector: `metadata.name=${nodeName}`,
      without: "this node's zone, addresses and pod ranges",
    },
    {
      kind: "ServiceCIDR",
      apiVersion: "networking.k8s.io/v1",
      plural: "servicecidrs",
      without: "the ranges of ClusterIPs (--service-cidr names them too)",
    },
    {
      kind: "Pod",
      apiVersion: "v1",
      plural: "pods",
      fieldSelector: `spec.nodeName=${nodeName}`,
      without: "portolan.dev/socket-balancing at Pods",
    },
    {
      kind: "Namespace",
      apiVersion: "v1",
      plural: "namespaces",
      without: "portolan.dev/socket-balancing at Namespaces",
    },
  ];
}

/** Of those, what says where traffic to Services goes. */
export function servedBy(nodeName: string): readonly Resource[] {
  return resourcesOf(nodeName).filter(({ kind }) => kind === "Service" || kind === "EndpointSlice" || kind === "Node");
}
