// SPDX-License-Identifier: Apache-2.0
// Which endpoints of a Service may get traffic: the Cluster set, narrowed by topology hints, and the Local set, each with
// its own fallback to terminating endpoints (behaviour rows 15-21). Pure; knows no addresses.

/** What an endpoint's hint says of this node, or of its zone. */
export type Hint = "none" | "here" | "elsewhere";

export interface EndpointState {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** On this node. */
  readonly local: boolean;
  readonly nodeHint: Hint;
  readonly zoneHint: Hint;
}

/** Which sets traffic of a service port can ask for (row 15). */
export interface SetsInUse {
  readonly cluster: boolean;
  readonly local: boolean;
  /** Flows keep to an endpoint while it serves (row 58). */
  readonly serving: boolean;
}

export interface EndpointSets<T> {
  readonly cluster: readonly T[];
  readonly local: readonly T[];
  /** Those that serve, or are ready all the same, but are in neither set, whatever policy, topology or their termination say. */
  readonly serving: readonly T[];
  /** Any node has a usable endpoint (row 19). */
  readonly hasAny: boolean;
}

/** All sets keep the order of the input; a set that is not in use is empty. */
export function chooseEndpoints<T extends EndpointState>(endpoints: readonly T[], inUse: SetsInUse): EndpointSets<T> {
  const usable = readyElseTerminating(endpoints);
  const cluster = inUse.cluster ? nearest(usable) : [];
  const local = inUse.local ? readyElseTerminating(endpoints.filter((endpoint) => endpoint.local)) : [];
  const serving = inUse.serving ? servingBeside(endpoints, [...cluster, ...local]) : [];
  return { cluster, local, serving, hasAny: usable.length > 0 };
}

function servingBeside<T extends EndpointState>(endpoints: readonly T[], chosen: readonly T[]): readonly T[] {
  const known = new Set(chosen);
  return endpoints.filter((endpoint) => (endpoint.serving || endpoint.ready) && !known.has(endpoint));
}

/**
 * Row 20: those meant for this node, else those meant for its zone, if every ready endpoint has a hint of that kind and
 * at least one is meant so; else all. The fallback to terminating ones ignores topology (row 17).
 */
function nearest<T extends EndpointState>(usable: readonly T[]): readonly T[] {
  for (const kind of ["nodeHint", "zoneHint"] as const) {
    if (usable.some((endpoint) => !endpoint.ready || endpoint[kind] === "none")) continue;
    const here = usable.filter((endpoint) => endpoint[kind] === "here");
    if (here.length > 0) return here;
  }
  return usable;
}

/** Rows 16-18: ready ones; only if there is none, those that terminate but still serve. */
function readyElseTerminating<T extends EndpointState>(endpoints: readonly T[]): readonly T[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length > 0) return ready;
  return endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating);
}
