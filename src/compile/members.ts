// SPDX-License-Identifier: Apache-2.0
// From a Service's slices to the ordered members of one service port and family.

import {
  chooseEndpoints,
  type EndpointSets,
  type EndpointState,
  type Hint,
  type SetsInUse,
} from "../model/endpoint-sets.ts";
import type { Endpoint, EndpointSlice } from "../model/endpoint-slice.ts";
import { endpointOrder, type Family } from "../model/ip.ts";
import type { NodePlace } from "../model/node.ts";
import type { ServicePort } from "../model/service.ts";
import type { Member } from "./state.ts";

interface Candidate extends EndpointState {
  readonly member: Member;
  readonly endpoint: Endpoint;
  /** By address and port bytes; equal for equal address:port. */
  readonly order: number | string;
}

/** Slice ports match a service port by name and protocol (row 9); members come local first, then by address and port. */
export function membersOf(
  slices: Iterable<EndpointSlice>,
  port: ServicePort,
  family: Family,
  here: NodePlace,
  inUse: SetsInUse,
): EndpointSets<Member> {
  const candidates = new Map<number | string, Candidate>();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    for (const target of slice.ports) {
      if (target.name !== port.name || target.protocol !== port.protocol) continue;
      for (const endpoint of slice.endpoints) addCandidate(candidates, toCandidate(endpoint, target.port, here));
    }
  }
  const sorted = [...candidates.values()].sort(byPlace);
  const sets = chooseEndpoints(sorted, inUse);
  return {
    cluster: sets.cluster.map(memberOf),
    local: sets.local.map(memberOf),
    serving: sets.serving.map(memberOf),
    hasAny: sets.hasAny,
  };
}

function toCandidate(endpoint: Endpoint, port: number, here: NodePlace): Candidate {
  const { address, nodeName, zone, hints, ready, serving, terminating } = endpoint;
  const local = nodeName === here.name;
  const member: Member = { address, port, nodeName, zone, local, terminating, weight: 1 };
  const nodeHint = hintFor(here.name, hints?.forNodes);
  const zoneHint = hintFor(here.zone, hints?.forZones);
  const order = endpointOrder(address, port);
  return { member, endpoint, order, ready, serving, terminating, local, nodeHint, zoneHint };
}

function hintFor(place: string | undefined, names: readonly string[] = []): Hint {
  if (names.length === 0) return "none";
  return place !== undefined && names.includes(place) ? "here" : "elsewhere";
}

/** Row 11: of two with one address:port the better one counts, whatever slice it is in and whichever came first. */
function addCandidate(candidates: Map<number | string, Candidate>, candidate: Candidate): void {
  const other = candidates.get(candidate.order);
  if (!other || rank(candidate) > rank(other)) candidates.set(candidate.order, candidate);
}

/** Not terminating counts most, as kube-proxy has it; the rest makes the choice independent of the order of arrival. */
function rank({ endpoint, ready, serving, terminating, local }: Candidate): string {
  const { nodeName, zone, hints } = endpoint;
  return [!terminating, ready, serving, local].map(Number).join("") + JSON.stringify([nodeName, zone, hints]);
}

function byPlace(a: Candidate, b: Candidate): number {
  if (a.local !== b.local) return a.local ? -1 : 1;
  return a.order < b.order ? -1 : 1;
}

function memberOf(candidate: Candidate): Member {
  return candidate.member;
}
