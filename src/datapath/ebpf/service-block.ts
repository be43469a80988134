// SPDX-License-Identifier: Apache-2.0
// From a compiled service to the block that says it: the one in force if it does, else a new one that nobody sees yet.

import type { CompiledService, Member } from "../../compile/state.ts";
import { idsOf } from "./backends.ts";
import { type Block, samePlan } from "./blocks.ts";
import { leavingProtocol, protocolNumber, traitsOf, wantsTables } from "./service-plan.ts";
import type { Stores } from "./stores.ts";
import { nextEpoch } from "./words.ts";

/** before: the block in force of the service with this id. Throws MapFullError, then nothing is taken. */
export function blockFor(stores: Stores, service: CompiledService, id: number, before: Block | undefined): Block {
  const { backends, blocks, sources } = stores;
  const proto = protocolNumber(service.protocol);
  const rules = service.sources?.rules ?? [];
  const rest = { service: id, ...traitsOf(service, before, nextEpoch(stores.cells.services, id)) };
  const wanted = wantsTables(service);
  const sourceSet = sources.find(rules);
  const known = before && sourceSet !== undefined ? { sourceSet, ...backends.findSets(service, proto) } : undefined;
  if (before && known && samePlan(before, { ...rest, ...known, tables: wanted })) return before;
  // Without room for its tables a service is better served at random than not at all.
  const tables = wanted && blocks.hasTableRoom(service);
  if (before && known && tables !== wanted && samePlan(before, { ...rest, ...known, tables })) return before;
  const sets = backends.acquireSets(service, proto);
  let taken = 0;
  try {
    taken = sources.acquire(rules);
    return blocks.write({ ...rest, tables, ...sets, sourceSet: taken });
  } catch (error) {
    for (const backend of idsOf(sets)) backends.discard(backend);
    sources.discard(taken);
    throw error;
  }
}

/**
 * The service with the endpoints that a block names and it does not: nothing new goes there, but flows that would leave
 * them stay.
 */
export function keepEndpoints(stores: Stores, service: CompiledService, block: Block | undefined): CompiledService {
  if (!block || leavingProtocol(service) === undefined) return service;
  const { cluster, local, serving } = service;
  const named = new Set([...cluster, ...local, ...serving].map(placeOf));
  const kept = new Map(idsOf(block).map((id) => [placeOf(stores.backends.member(id)), stores.backends.member(id)]));
  const unnamed = [...kept].filter(([place]) => !named.has(place)).map(([, member]) => member);
  return unnamed.length === 0 ? service : { ...service, serving: [...serving, ...unnamed] };
}

function placeOf({ address, port }: Member): string {
  return `${address} ${port}`;
}
