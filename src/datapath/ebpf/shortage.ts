// SPDX-License-Identifier: Apache-2.0
// What a service does not get because a map is full, though it is served.

import type { CompiledService } from "../../compile/state.ts";
import type { Block } from "./blocks.ts";
import { MapFullError } from "./errors.ts";
import { wantsTables } from "./service-plan.ts";
import type { Stores } from "./stores.ts";

/** Something that a block in force is without. */
export interface Lack {
  readonly error: MapFullError;
  /** New connections meet what the service asks for all the same. */
  readonly served: boolean;
}

export function lackOf({ cells, sources }: Stores, service: CompiledService, block: Block): Lack | undefined {
  if (isClosed(service, block)) {
    const kinds = service.sources?.kinds.join(", ");
    const needed = `the source ranges of ${service.key}, whose ${kinds} addresses serve nobody until there is`;
    return { error: new MapFullError("source_ranges", sources.size, needed), served: false };
  }
  if (!wantsTables(service) || block.tables) return undefined;
  const needed = `the lookup tables of ${service.key}, whose endpoints are chosen at random until there is`;
  return { error: new MapFullError("tables", cells.tables.length, needed), served: true };
}

/** Its ranges found no room. */
function isClosed({ sources }: CompiledService, block: Block): boolean {
  return sources !== undefined && sources.rules.length > 0 && block.sourceSet === 0;
}

/** What lacked room is no failure while space is about to become free. */
export function throwUnless(failures: readonly unknown[], retried: boolean): void {
  const final = failures.filter((error) => !(retried && error instanceof MapFullError));
  if (final.length === 0) return;
  if (final.length === 1) throw final[0];
  throw new AggregateError(final, `${final.length} services were not written; the first: ${String(final[0])}`);
}
