// SPDX-License-Identifier: Apache-2.0
// One attempt to bring changes into the kernel, and how it went.

import type { Delta, ServiceKey } from "../compile/state.ts";
import { concernsOneService } from "../datapath/ebpf/errors.ts";
import type { Failure, SyncOutcome } from "../metrics/sync-observer.ts";
import type { Family } from "../model/ip.ts";

export const FAMILIES: ReadonlySet<Family> = new Set([4, 6]);

export class Attempt {
  readonly #beginMs = performance.now();
  #publishBeginMs = this.#beginMs;
  #delta: Delta | undefined;
  #failure: Failure = "none";

  /** What is to be published now. */
  compiled(delta: Delta): void {
    this.#delta = delta;
    this.#publishBeginMs = performance.now();
  }

  failed(error: unknown): void {
    this.#failure = concernsOneService(error) ? "services" : "kernel";
  }

  get delta(): Delta | undefined {
    return this.#delta;
  }

  get failure(): Failure {
    return this.#failure;
  }

  /** Since compiled(). */
  get publishMs(): number {
    return performance.now() - this.#publishBeginMs;
  }

  /** waiting: families of what is left of earlier changes. upToDate: as of SyncOutcome. */
  outcome(waiting: ReadonlySet<Family>, upToDate: boolean): SyncOutcome {
    const { publishMs } = this;
    const delta = this.#delta;
    const keys = delta ? [...delta.upsert.map(({ key }) => key), ...delta.remove] : [];
    return {
      delta,
      families: delta ? familiesOf(keys) : waiting,
      failure: this.#failure,
      upToDate,
      tookMs: this.#publishBeginMs - this.#beginMs + publishMs,
      publishMs,
    };
  }
}

export function familiesOf(keys: Iterable<ServiceKey>): ReadonlySet<Family> {
  const found = new Set<Family>();
  for (const key of keys) {
    found.add(key.endsWith("/IPv6") ? 6 : 4);
    if (found.size === FAMILIES.size) break;
  }
  return found;
}
