// SPDX-License-Identifier: Apache-2.0
// Service ports as the compiler hands them out, for drivers that write rules.

import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";

/** default/dns:/UDP/IPv4 without frontends and endpoints, but for what is given. */
export function compiled(change: Partial<CompiledService> = {}): CompiledService {
  const { namespace = "default", name = "dns", portName = "", protocol = "UDP", family = 4 } = change;
  return {
    key: `${namespace}/${name}:${portName}/${protocol}/IPv${family}` as ServiceKey,
    namespace,
    name,
    portName,
    protocol,
    family,
    type: "ClusterIP",
    frontends: [],
    cluster: [],
    local: [],
    serving: [],
    internalLocal: false,
    externalLocal: false,
    hasAnyEndpoints: false,
    scheduler: "default",
    affinitySeconds: 0,
    endsConnections: false,
    sources: undefined,
    ...change,
  };
}
