// SPDX-License-Identifier: Apache-2.0
// What is refused or dropped where nothing is served (row 46): only what is known to be nobody else's. While something
// is not known, or not in the maps, it might be that which a packet asks for; then packets pass.

import type { CompiledService, ServiceKey } from "../../compile/state.ts";
import type { Cidr, Ip } from "../../model/ip.ts";
import type { NodeAddress } from "../contract.ts";
import type { AddressTable } from "./addresses.ts";
import { attempt, MapFullError, TooManyRangesError } from "./errors.ts";
import type { ServiceRangeTable } from "./service-ranges.ts";

const NONE: readonly Cidr[] = [];

/** Services whose change is not in the maps, and those of them that new connections do not meet as they should. */
interface Waiting {
  readonly pending: ReadonlyMap<ServiceKey, CompiledService>;
  readonly unserved: ReadonlySet<ServiceKey>;
}

export class Refusals {
  readonly #addresses: AddressTable;
  readonly #serviceRanges: ServiceRangeTable;
  /** Where what no Service has is nobody's; undefined: nobody has said, what was adopted counts. */
  #ranges: readonly Cidr[] | undefined;
  /** Those of them in force, and how many there was no room for; undefined: it is not known. */
  #inForce: { readonly ranges: readonly Cidr[]; readonly left: number } | undefined;
  /** Not all that is wanted is known. */
  #partial = false;
  /** Not all that is known is in the maps. */
  #behind = false;

  constructor(addresses: AddressTable, serviceRanges: ServiceRangeTable) {
    this.#addresses = addresses;
    this.#serviceRanges = serviceRanges;
  }

  /** A change begins. foreign: as of a Delta. */
  begin(foreign: ReadonlySet<Ip> | undefined, partial: boolean): void {
    this.#partial = partial;
    if (foreign) this.#addresses.addForeign(foreign);
    if (partial) this.#addresses.setDoubted(true);
  }

  /**
   * Before frontends go: a ClusterIP that changes hands is known as another's. Where there is no room to say so, no
   * address is nobody's. Throws what else fails.
   */
  announce(): void {
    try {
      this.#addresses.flush();
    } catch (error) {
      this.#enforce(NONE);
      if (!(error instanceof MapFullError)) throw error; // end() tells of it
    }
  }

  /**
   * After the frontends: a new one must not meet the refusal of its address's other ports. What fails stays due.
   * unserved are not wholly in the maps; behind: nor are, perhaps, others.
   */
  end(
    foreign: ReadonlySet<Ip> | undefined,
    { pending, unserved }: Waiting,
    behind: boolean,
    failures: unknown[],
  ): void {
    const waiting = [...unserved].flatMap((key) => pending.get(key)?.frontends ?? []);
    if (foreign && !this.#partial) this.#addresses.keepForeign(foreign);
    this.#addresses.setDoubted(this.#partial);
    this.#addresses.setWaiting(waiting.flatMap(({ address }) => address ?? []));
    attempt(failures, () => this.#addresses.flush());
    this.#behind = behind || unserved.size > 0;
    attempt(failures, () => this.#settle());
  }

  /** Errors as of AddressTable.replaceNode(). */
  setNodeAddresses(addresses: readonly NodeAddress[]): void {
    try {
      this.#addresses.replaceNode(addresses, () => this.#enforce(NONE));
    } finally {
      this.#settle();
    }
  }

  /** Throws TooManyRangesError when those are in force that there is room for. */
  setRanges(ranges: readonly Cidr[]): void {
    this.#ranges = ranges;
    const left = this.#settle();
    if (left > 0) throw new TooManyRangesError(left);
  }

  /** Has the ranges in force, or none of them. Returns how many there is no room for. */
  #settle(): number {
    const wanted = this.#partial || this.#behind || this.#addresses.isBehind ? NONE : this.#ranges;
    return wanted ? this.#enforce(wanted) : 0;
  }

  #enforce(ranges: readonly Cidr[]): number {
    if (ranges === this.#inForce?.ranges) return this.#inForce.left;
    this.#inForce = undefined;
    this.#inForce = { ranges, left: this.#serviceRanges.replace(ranges) };
    return this.#inForce.left;
  }
}
