// SPDX-License-Identifier: Apache-2.0
// Services whose source ranges change while they lose frontends: these go before the new block comes, so that nobody
// meets them without the ranges they had.

import type { CompiledService, ServiceKey } from "../../compile/state.ts";
import { type FrontendEntry, frontendEntries, without } from "./frontends.ts";
import { sourceKinds } from "./service-plan.ts";
import type { ServiceEntry, Stores } from "./stores.ts";

export interface Split {
  readonly lifting: readonly CompiledService[];
  /** All the others. */
  readonly others: readonly CompiledService[];
  /** Frontends that those lifting lose. */
  readonly gone: readonly FrontendEntry[];
  /** Frontends that they will have: another's among them is theirs without a gap. Their service is not filled in. */
  readonly taken: readonly FrontendEntry[];
}

/** services: the entries in force. */
export function splitLifting(
  stores: Stores,
  services: ReadonlyMap<ServiceKey, ServiceEntry>,
  upserts: readonly CompiledService[],
): Split {
  const lifting = new Map<CompiledService, readonly FrontendEntry[]>();
  for (const service of upserts) {
    const before = services.get(service.key);
    if (!before || before.block.sourceKinds === 0 || keepsSources(stores, service, before)) continue;
    const gone = without(before.frontends, frontendEntries(service, before.id));
    if (gone.length > 0) lifting.set(service, gone);
  }
  if (lifting.size === 0) return { lifting: [], others: upserts, gone: [], taken: [] };
  return {
    lifting: [...lifting.keys()],
    others: upserts.filter((service) => !lifting.has(service)),
    gone: [...lifting.values()].flat(),
    taken: [...lifting.keys()].flatMap((service) => frontendEntries(service, 0)),
  };
}

function keepsSources({ sources }: Stores, service: CompiledService, { block }: ServiceEntry): boolean {
  return sourceKinds(service) === block.sourceKinds && sources.find(service.sources?.rules ?? []) === block.sourceSet;
}
