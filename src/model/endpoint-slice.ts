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

export interface Endpoint {
  readonly address: Ip;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
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
}

/** `namespace/name` of the Service whose endpoints these are; undefined when the slice is left alone (rows 2 and 6). */
export function serviceOf(slice: EndpointSlice): string | undefined {
  if (slice.headless || slice.family === undefined || slice.serviceName === undefined) return undefined;
  return [slice.namespace, slice.serviceName].join("/");
}
