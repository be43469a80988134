// SPDX-License-Identifier: Apache-2.0
// From a compiled service to the block that says it: the one in force if it does, else a new one that nobody sees yet.

import type { CompiledService, Member } from "../../compile/state.ts";
import { idsOf } from "./backends.ts";
import { type Block, planOf, samePlan } from "./blocks.ts";
import { leavingProtocol, protocolNumber, traitsOf, wantsTables } from "./service-plan.ts";
import type { Stores } from "./stores.ts";
import { nextEpoch } from "./words.ts";

/** The set that admits no client. */
const NOBODY = 0;

/** The block already asks for clients at all these kinds of frontends: better its old ranges than none. */
function filters({ sourceKinds, sourceSet }: Block, kinds: number): boolean {
  return sourceSet !== NOBODY && (sourceKinds & kinds) === kinds;
}

/**
 * before: the block in force of the service with this id. Throws MapFullError, then nothing is taken. Where there is no
 * room for the ranges of frontends that served everybody so far, they serve nobody.
 */
export function blockFor(stores: Stores, service: CompiledService, id: number, before: Block | undefined): Block {
  const { backends, blocks, sources } = stores;
  const proto = protocolNumber(service.protocol);
  const rules = service.sources?.rules ?? [];
  const traits = traitsOf(service, before, nextEpoch(stores.cells.services, id));
  const wanted = wantsTables(service);
  const filtered = before !== undefined && filters(before, traits.sourceKinds);
  const sourceSet = sources.find(rules) ?? (filtered || sources.hasRoom(rules) ? undefined : NOBODY);
  const known = before && sourceSet !== undefined ? backends.findSets(service, proto) : undefined;
  const says = (tables: boolean) =>
    before && known && sourceSet !== undefined && samePlan(before, planOf(id, traits, known, sourceSet, tables));
  if (before && says(wanted)) return before;
  // Without room for its tables a service is better served at random than not at all.
  const tables = wanted && blocks.hasTableRoom(service);
  if (before && tables !== wanted && says(tables)) return before;
  const sets = backends.acquireSets(service, proto, known);
  let taken = 0;
  try {
    taken = sourceSet === NOBODY ? NOBODY : sources.acquire(rules);
    return blocks.write(planOf(id, traits, sets, taken, tables));
  } catch (error) {
    for (const backend of idsOf(sets)) backends.discard(backend);
    sources.discard(taken);
    throw error;
  }
}

/** Endpoints of an adopted block that nobody has named yet, by address and port. */
export type Unread = ReadonlyMap<string, Member>;

/** All that the block names, but for those of the service. */
export function unreadOf(stores: Stores, service: CompiledService, block: Block): Unread {
  const members = idsOf(block).map((id) => stores.backends.member(id));
  return stillUnread(service, new Map(members.map((member) => [placeOf(member), member])));
}

/** What is left of them with what the service names: what was named once is known. */
export function stillUnread({ cluster, local, serving }: CompiledService, unread: Unread): Unread {
  if (unread.size === 0) return unread;
  const named = new Set([...cluster, ...local, ...serving].map(placeOf));
  return new Map([...unread].filter(([place]) => !named.has(place)));
}

/** Nothing new goes to the unread endpoints, but flows that would leave them stay. */
export function withUnread(service: CompiledService, unread: Unread): CompiledService {
  if (unread.size === 0 || leavingProtocol(service) === undefined) return service;
  return { ...service, serving: [...service.serving, ...unread.values()] };
}

/** Address and port. */
export function placeOf({ address, port }: Member): string {
  return `${address} ${port}`;
}
