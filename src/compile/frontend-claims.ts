// SPDX-License-Identifier: Apache-2.0
// Who serves an address:port that several Services name: the oldest of them, and the next when it goes.

import type { CompiledService, Frontend } from "./state.ts";

/** What of a service port decides who serves its frontends. */
export type ClaimingService = Pick<CompiledService, "key" | "namespace" | "name" | "protocol" | "family" | "frontends">;

/** A service port that claims all frontends of wanted. */
export interface Claimant {
  /** Unix time in ms; Infinity when not known: younger than every known one. */
  readonly createdMs: number;
  /** With all frontends the Service asks for. */
  readonly wanted: ClaimingService;
}

/** A claimant's wanted frontends, family, protocol and age must not change between add() and remove(). */
export class FrontendClaims<T extends Claimant> {
  /** Service ports in the order of their right to the frontend. */
  readonly #queues = new Map<string, readonly T[]>();

  /** Returns the others that ask for one of its frontends: what they may serve can have changed. */
  add(claimant: T): readonly T[] {
    const rivals: T[] = [];
    for (const id of idsOf(claimant)) {
      const others = this.#queues.get(id) ?? [];
      rivals.push(...others);
      this.#queues.set(id, others.length === 0 ? [claimant] : [...others, claimant].sort(byAge));
    }
    return rivals;
  }

  /** The counterpart of add(), with the same object. */
  remove(claimant: T): readonly T[] {
    const rivals: T[] = [];
    for (const id of idsOf(claimant)) {
      const others = (this.#queues.get(id) ?? []).filter((other) => other !== claimant);
      rivals.push(...others);
      if (others.length === 0) this.#queues.delete(id);
      else this.#queues.set(id, others);
    }
    return rivals;
  }

  /** The one that serves this frontend of a claimant. */
  holder(claimant: T, frontend: Frontend): T | undefined {
    return this.#queues.get(idOf(claimant.wanted, frontend))?.[0];
  }
}

function idsOf({ wanted }: Claimant): readonly string[] {
  return wanted.frontends.map((frontend) => idOf(wanted, frontend));
}

function idOf({ family, protocol }: ClaimingService, { address, port }: Frontend): string {
  return [address ?? `node${family}`, port, protocol].join(" ");
}

function byAge(a: Claimant, b: Claimant): number {
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs ? -1 : 1;
  return (
    byText(a.wanted.namespace, b.wanted.namespace) ||
    byText(a.wanted.name, b.wanted.name) ||
    byText(a.wanted.key, b.wanted.key)
  );
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
