// SPDX-License-Identifier: Apache-2.0
// Two Services of one ClusterIP, as the cluster's DNS has them where a cache on the node listens at that address too.

import type { Endpoint, ServiceSpec } from "./manifests.ts";

export const DNS = 53;
export const METRICS = 9153;

/** Number 10; the endpoint is on another node. */
export function dnsServices(endpoint: Endpoint): readonly ServiceSpec[] {
  return [DNS, METRICS].map((port) => ({ name: `dns-${port}`, number: 10, port, endpoints: [endpoint] }));
}
