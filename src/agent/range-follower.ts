// SPDX-License-Identifier: Apache-2.0
// Follows ServiceCIDR objects and tells the datapath in which ranges an address without a Service is nobody's.

import type { Datapath } from "../datapath/contract.ts";
import { TooManyRangesError } from "../datapath/ebpf/errors.ts";
import type { NetworkView } from "../datapath/network.ts";
import type { ModelChanges } from "../model/changes.ts";
import { type Cidr, familyOf, type Ip, ipFromBytes, isInCidr, parseCidr } from "../model/ip.ts";
import type { Log } from "./log.ts";
import { Retry } from "./retry.ts";

export interface Surroundings {
  /** Ranges known without any object. */
  readonly flagged: readonly Cidr[];
  /** Of the cluster's pods. */
  readonly clusterCidrs: readonly Cidr[];
  readonly view: () => Pick<NetworkView, "addresses">;
}

export class RangeFollower implements Disposable {
  readonly #around: Surroundings;
  readonly #datapath: Pick<Datapath, "setServiceRanges">;
  readonly #log: Log;
  readonly #ranges = new Map<string, readonly Cidr[]>();
  /** Networks of each Node: of its addresses and its pods. */
  readonly #nodes = new Map<string, readonly Cidr[]>();
  /** undefined: nothing has been read yet, what an earlier agent left counts. */
  #sure: boolean | undefined;
  readonly #retry: Retry;
  /** As the datapath was last told. */
  #told: string | undefined;
  /** Ranges that were left out and said so. */
  readonly #warned = new Set<string>();

  constructor(around: Surroundings, datapath: Pick<Datapath, "setServiceRanges">, log: Log) {
    this.#around = around;
    this.#datapath = datapath;
    this.#log = log;
    this.#retry = new Retry(log, "the ranges of ClusterIPs could not be written, it is tried again");
  }

  /**
   * sure: all that was read could be; if not, an address without a Service may be that of one, and none is nobody's.
   */
  update({ synced, serviceCidrs, nodes }: ModelChanges, sure: boolean): void {
    for (const { previous, current } of serviceCidrs) {
      if (current) this.#ranges.set(current.name, current.cidrs);
      else if (previous) this.#ranges.delete(previous.name);
    }
    for (const { previous, current } of nodes) {
      if (current) this.#nodes.set(current.name, [...current.podCidrs, ...current.addresses.map(single)]);
      else if (previous) this.#nodes.delete(previous.name);
    }
    this.#sure = sure && synced;
    this.refresh();
  }

  /** After a change of the node's addresses too. */
  refresh(): void {
    if (this.#sure === undefined) return;
    const ranges = this.#sure ? this.#nobodys() : [];
    const text = ranges.map(textOf).join(",");
    if (text === this.#told) return;
    this.#told = text;
    this.#retry.attempt("ranges", () => this.#tell(ranges));
  }

  [Symbol.dispose](): void {
    this.#retry[Symbol.dispose]();
  }

  #tell(ranges: readonly Cidr[]): void {
    try {
      this.#datapath.setServiceRanges(ranges);
    } catch (error) {
      if (!(error instanceof TooManyRangesError)) throw error; // to try that again would not help
      this.#log.error({ err: error }, "what is in the other ranges of ClusterIPs passes");
    }
  }

  /** Ranges that share no address with a network. */
  #nobodys(): readonly Cidr[] {
    const { flagged, clusterCidrs, view } = this.#around;
    const networks = [...clusterCidrs, ...[...this.#nodes.values()].flat(), ...connected(view())];
    return [flagged, ...this.#ranges.values()].flat().filter((range) => {
      const network = networks.find((other) => overlap(range, other));
      if (network) this.#warn(textOf(range), textOf(network));
      return network === undefined;
    });
  }

  #warn(range: string, network: string): void {
    if (this.#warned.has(range)) return;
    this.#warned.add(range);
    this.#log.warn(`ClusterIPs come from ${range}, but so do addresses of ${network}: none of the range is dropped`);
  }
}

/** Networks that interfaces are part of; an address alone is none, it may be a ClusterIP. */
function connected({ addresses }: Pick<NetworkView, "addresses">): readonly Cidr[] {
  return addresses
    .filter(({ address, prefixLength }) => prefixLength < 8 * address.length)
    .flatMap(({ address, prefixLength }) => parseCidr(`${ipFromBytes(address)}/${prefixLength}`) ?? []);
}

function single(address: Ip): Cidr {
  return { address, prefixLength: familyOf(address) === 4 ? 32 : 128 };
}

function overlap(a: Cidr, b: Cidr): boolean {
  return isInCidr(a.address, b) || isInCidr(b.address, a);
}

function textOf({ address, prefixLength }: Cidr): string {
  return `${address}/${prefixLength}`;
}
