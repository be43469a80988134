// SPDX-License-Identifier: Apache-2.0
// From a compiled service to the block that says it: the one in force if it does, else a new one that nobody sees yet.

import type { CompiledService } from "../../compile/state.ts";
import { idsOf } from "./backends.ts";
import { type Block, samePlan } from "./blocks.ts";
import { protocolNumber, traitsOf, wantsTables } from "./service-plan.ts";
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
