// SPDX-License-Identifier: Apache-2.0
// Manifests of Services that a world is made to hold: each with a ClusterIP, an externalIP and a load balancer's address of
// both families, numbered alike, and slices of its name.

import type { Family } from "../model/address.ts";
import type { EndpointManifest, ServiceManifest, SliceManifest } from "../model/world.ts";
import { addressIn, FAMILIES } from "./places.ts";

type Spec = ServiceManifest["spec"];

interface Planted {
  readonly name: string;
  /** The last part of its addresses. */
  readonly n: number;
  readonly annotations: ServiceManifest["metadata"]["annotations"];
  /** What is its own. */
  readonly spec: Omit<Spec, "type" | "clusterIP" | "clusterIPs" | "externalIPs">;
}

export function plantedService({ name, n, annotations, spec }: Planted): ServiceManifest {
  const all = (range: "cluster" | "external" | "balancer") => FAMILIES.map((family) => addressIn(range, family, n));
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "test", annotations },
    spec: {
      type: "LoadBalancer",
      clusterIP: all("cluster")[0],
      clusterIPs: all("cluster"),
      externalIPs: all("external"),
      ...spec,
    },
    status: { loadBalancer: { ingress: all("balancer").map((ip) => ({ ip })) } },
  };
}

/** of: the name of its Service. */
export function plantedSlice(
  of: string,
  family: Family,
  ports: SliceManifest["ports"],
  endpoints: readonly EndpointManifest[],
): SliceManifest {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${of}-${family}`, namespace: "test", labels: { "kubernetes.io/service-name": of } },
    addressType: family === 4 ? "IPv4" : "IPv6",
    ports,
    endpoints,
  };
}
