// SPDX-License-Identifier: Apache-2.0
// Which endpoints of a Service may get traffic: the Cluster set and the Local set, each with its own fallback to
// terminating endpoints (behaviour rows 15-19). Pure; knows no addresses.

export interface EndpointState {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** On this node. */
  readonly local: boolean;
}

/** Which sets traffic of a service port can ask for (row 15). */
export interface SetsInUse {
  readonly cluster: boolean;
  readonly local: boolean;
}

export interface EndpointSets<T> {
  readonly cluster: readonly T[];
  readonly local: readonly T[];
  /** Any node has a usable endpoint (row 19). */
  readonly hasAny: boolean;
}

/** Both sets keep the order of the input; a set that is not in use is empty. */
export function chooseEndpoints<T extends EndpointState>(endpoints: readonly T[], inUse: SetsInUse): EndpointSets<T> {
  const usable = readyElseTerminating(endpoints);
  return {
    cluster: inUse.cluster ? usable : [],
    local: inUse.local ? readyElseTerminating(endpoints.filter((endpoint) => endpoint.local)) : [],
    hasAny: usable.length > 0,
  };
}

/** Rows 16-18: ready ones; only if there is none, those that terminate but still serve. */
function readyElseTerminating<T extends EndpointState>(endpoints: readonly T[]): readonly T[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length > 0) return ready;
  return endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating);
}
