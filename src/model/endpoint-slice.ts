// SPDX-License-Identifier: Apache-2.0
// An EndpointSlice, reduced to what decides where a Service's traffic goes.

import type { Family, Ip } from "./ip.ts";
import type { Protocol } from "./service.ts";

export interface SlicePort {
  readonly name: string;
  readonly protocol: Protocol;
  /** 1..65535 */
  readonly port: number;
}

/** Where an endpoint is wanted: traffic of these nodes, of these zones (row 20). */
export interface Hints {
  readonly forNodes: readonly string[];
  readonly forZones: readonly string[];
}

export interface Endpoint {
  readonly address: Ip;
  /** By which cluster DNS knows it below its Service's name. */
  readonly hostname?: string | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  /** Undefined: it names neither nodes nor zones. */
  readonly hints: Hints | undefined;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export interface EndpointSlice {
  readonly kind: "EndpointSlice";
  readonly namespace: string;
  readonly name: string;
  /** The label kubernetes.io/service-name; undefined: no Service's. */
  readonly serviceName: string | undefined;
  /** The label service.kubernetes.io/headless: left alone (row 2). */
  readonly headless: boolean;
  /** Undefined: addressType FQDN, left alone (row 6). */
  readonly family: Family | undefined;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly Endpoint[];
  /** When what it says of pods and its Service came to be so (row 81); Unix time, milliseconds. */
  readonly changeTriggeredMs?: number;
}

/** Whether the node's zone can matter to who is sent to its endpoints (rows 20 and 23). */
export function hasZoneHints(slice: EndpointSlice): boolean {
  return slice.endpoints.some(({ hints }) => hints !== undefined && hints.forZones.length > 0);
}

/** `namespace/name` of the Service whose endpoints these are; undefined when the slice is left alone (rows 2 and 6). */
export function serviceOf(slice: EndpointSlice): string | undefined {
  if (slice.headless || slice.family === undefined || slice.serviceName === undefined) return undefined;
  return [slice.namespace, slice.serviceName].join("/");
}
