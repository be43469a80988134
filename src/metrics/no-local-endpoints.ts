// SPDX-License-Identifier: Apache-2.0
// Service ports with a Local policy whose endpoints are all on other nodes: their traffic is dropped here. Counted as
// they change, so that nobody has to look through all of them.

import type { CompiledService, Delta, ServiceKey } from "../compile/state.ts";
import type { Family } from "../model/ip.ts";

type Policy = "internal" | "external";

export class NoLocalEndpoints {
  /** Those without, and for which policies. */
  readonly #without = new Map<ServiceKey, { readonly family: Family; readonly policies: readonly Policy[] }>();

  take({ upsert, remove }: Pick<Delta, "upsert" | "remove">): void {
    for (const key of remove) this.#without.delete(key);
    for (const service of upsert) {
      const policies = policiesWithout(service);
      if (policies.length > 0) this.#without.set(service.key, { family: service.family, policies });
      else this.#without.delete(service.key);
    }
  }

  counts(family: Family): Readonly<Record<Policy, number>> {
    const counts = { internal: 0, external: 0 };
    for (const entry of this.#without.values()) {
      if (entry.family === family) for (const policy of entry.policies) counts[policy]++;
    }
    return counts;
  }
}

function policiesWithout(service: CompiledService): readonly Policy[] {
  if (!service.hasAnyEndpoints || service.local.length > 0) return [];
  const external = service.externalLocal && service.frontends.some(({ kind }) => kind !== "ClusterIP");
  return [...(service.internalLocal ? (["internal"] as const) : []), ...(external ? (["external"] as const) : [])];
}
