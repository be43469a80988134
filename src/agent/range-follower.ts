// SPDX-License-Identifier: Apache-2.0
// Follows ServiceCIDR objects and tells the datapath in which ranges an address without a Service is nobody's.

import type { Datapath } from "../datapath/contract.ts";
import { TooManyRangesError } from "../datapath/ebpf/errors.ts";
import type { NetworkView } from "../datapath/network.ts";
import type { Change, ModelChanges } from "../model/changes.ts";
import { type EndpointSlice, serviceOf } from "../model/endpoint-slice.ts";
import { type Cidr, cidrMatcher, familyOf, type Ip, ipFromBytes, isInCidr, parseCidr } from "../model/ip.ts";
import type { Node } from "../model/node.ts";
import type { Log } from "./log.ts";
import { Retry } from "./retry.ts";

export interface Surroundings {
  /** Ranges known without any object, at first. */
  readonly flagged: readonly Cidr[];
  /** Of the cluster's pods. */
  readonly clusterCidrs: readonly Cidr[];
  readonly view: () => Pick<NetworkView, "addresses">;
  /** Ranges that an earlier agent left in force. */
  readonly adopted: readonly Cidr[];
  /** Of all Services, as they were before the change at hand. */
  readonly slices: () => Iterable<EndpointSlice>;
}

/** A range that ClusterIPs come from. */
interface Candidate {
  readonly range: Cidr;
  readonly text: string;
  readonly holds: (ip: Ip) => boolean;
  /** How often slices name an endpoint with an address of the range. */
  endpoints: number;
  /** How often Nodes name a network that shares addresses with it. */
  networks: number;
  /** One of either, for people. */
  endpoint: string;
  network: string;
}

export class RangeFollower implements Disposable {
  readonly #around: Surroundings;
  readonly #datapath: Pick<Datapath, "setServiceRanges">;
  readonly #log: Log;
  /** Of each ServiceCIDR. */
  readonly #ranges = new Map<string, readonly Cidr[]>();
  #flagged: readonly Cidr[];
  #candidates: readonly Candidate[];
  /** Networks of each Node: of its addresses and its pods. Counted by the candidates, for there may be many. */
  readonly #nodes = new Map<string, readonly Cidr[]>();
  /** undefined: nothing has been read yet, what an earlier agent left counts. */
  #sure: boolean | undefined;
  readonly #retry: Retry;
  /** As the datapath was last told; undefined: not at all. */
  #told: readonly Cidr[] | undefined;
  /** What it is to be told next. */
  #due: readonly Cidr[] | undefined;
  /** Ranges that were left out and said so. */
  readonly #warned = new Set<string>();

  constructor(around: Surroundings, datapath: Pick<Datapath, "setServiceRanges">, log: Log) {
    this.#around = around;
    this.#datapath = datapath;
    this.#log = log;
    this.#retry = new Retry(log, "the ranges of ClusterIPs could not be written, it is tried again");
    this.#flagged = around.flagged;
    this.#candidates = candidatesOf(around.flagged, [], [], []);
  }

  /** Those known without any object, anew. */
  setFlagged(ranges: readonly Cidr[]): void {
    this.#flagged = ranges;
    this.#renewCandidates();
    this.refresh();
  }

  /**
   * Before the Services of these changes are published: from a range that is not nobody's any more silence is taken now,
   * all else waits for settle(). sure: all that was read could be; if not, an address without a Service may be that of
   * one, and none is nobody's.
   */
  update({ synced, serviceCidrs, nodes, endpointSlices }: ModelChanges, sure: boolean): void {
    for (const { previous, current } of serviceCidrs) {
      if (current) this.#ranges.set(current.name, current.cidrs);
      else if (previous) this.#ranges.delete(previous.name);
    }
    if (serviceCidrs.length > 0) this.#renewCandidates();
    for (const change of nodes) this.#noteNode(change);
    const known = sure && synced;
    const moved = this.#noteEndpoints(endpointSlices);
    if (!moved && serviceCidrs.length + nodes.length === 0 && known === this.#sure) return;
    this.#sure = known;
    this.#due = this.#nobodys();
    this.#withdrawAllBut(this.#due);
  }

  /** After the Services of the changes are published. */
  settle(): void {
    if (this.#due) this.#tell(this.#due);
    this.#due = undefined;
  }

  /** After a change of the node's addresses. */
  refresh(): void {
    if (this.#sure === undefined) return;
    this.#due = this.#nobodys();
    this.settle();
  }

  [Symbol.dispose](): void {
    this.#retry[Symbol.dispose]();
  }

  #renewCandidates(): void {
    const ranges = [this.#flagged, ...this.#ranges.values()].flat();
    this.#candidates = candidatesOf(ranges, this.#candidates, this.#around.slices(), this.#nodes.values());
  }

  #noteNode({ previous, current }: Change<Node>): void {
    const name = (current ?? previous)?.name;
    if (name === undefined) return;
    const before = this.#nodes.get(name) ?? [];
    const after = current ? [...current.podCidrs, ...current.addresses.map(single)] : [];
    for (const candidate of this.#candidates) {
      countNetworks(candidate, before, -1);
      countNetworks(candidate, after, 1);
    }
    if (current) this.#nodes.set(name, after);
    else this.#nodes.delete(name);
  }

  /** Returns whether an endpoint came to a range that had none, or the last one went. */
  #noteEndpoints(changes: readonly Change<EndpointSlice>[]): boolean {
    const inhabited = () => this.#candidates.map(({ endpoints }) => endpoints > 0).join();
    const before = inhabited();
    for (const { previous, current } of changes) {
      for (const candidate of this.#candidates) {
        if (previous) count(candidate, previous, -1);
        if (current) count(candidate, current, 1);
      }
    }
    return inhabited() !== before;
  }

  #withdrawAllBut(ranges: readonly Cidr[]): void {
    const staying = new Set(ranges.map(textOf));
    const inForce = this.#told ?? this.#around.adopted;
    const kept = inForce.filter((range) => staying.has(textOf(range)));
    if (kept.length < inForce.length) this.#tell(kept);
  }

  #tell(ranges: readonly Cidr[]): void {
    if (this.#told && ranges.map(textOf).join() === this.#told.map(textOf).join()) return;
    this.#told = ranges;
    this.#retry.attempt("ranges", () => this.#write(ranges));
  }

  #write(ranges: readonly Cidr[]): void {
    try {
      this.#datapath.setServiceRanges(ranges);
    } catch (error) {
      if (!(error instanceof TooManyRangesError)) throw error; // to try that again would not help
      this.#log.error({ err: error }, "what is in the other ranges of ClusterIPs passes");
    }
  }

  /** Ranges that share no address with a network, nor with an endpoint. */
  #nobodys(): readonly Cidr[] {
    if (!this.#sure) return [];
    const { clusterCidrs, view } = this.#around;
    const around = [...clusterCidrs, ...connected(view())];
    const free = this.#candidates.filter(({ range, text, endpoints, endpoint, networks, network }) => {
      const here = around.find((other) => overlap(range, other));
      const shared = here ? textOf(here) : networks > 0 ? network : undefined;
      if (shared !== undefined) this.#warn(text, `do addresses of ${shared}`);
      else if (endpoints > 0) this.#warn(text, `does ${endpoint}`);
      return shared === undefined && endpoints === 0;
    });
    return free.map(({ range }) => range);
  }

  #warn(range: string, who: string): void {
    if (this.#warned.has(range)) return;
    this.#warned.add(range);
    this.#log.warn(`ClusterIPs come from ${range}, but so ${who}: none of the range is dropped`);
  }
}

/** Each range once; counts stay with those that are among known, and are made of slices and Nodes for others. */
function candidatesOf(
  ranges: readonly Cidr[],
  known: readonly Candidate[],
  slices: Iterable<EndpointSlice>,
  nodes: Iterable<readonly Cidr[]>,
): readonly Candidate[] {
  const candidates = new Map(known.map((candidate) => [candidate.text, candidate]));
  const fresh = new Map<string, Candidate>();
  for (const range of ranges) {
    const text = textOf(range);
    if (!candidates.has(text)) fresh.set(text, candidateOf(range, text));
  }
  if (fresh.size > 0) {
    for (const slice of slices) for (const candidate of fresh.values()) count(candidate, slice, 1);
    for (const networks of nodes) for (const candidate of fresh.values()) countNetworks(candidate, networks, 1);
  }
  const all = new Map([...candidates, ...fresh]);
  return [...new Set(ranges.map(textOf))].flatMap((text) => all.get(text) ?? []);
}

function candidateOf(range: Cidr, text: string): Candidate {
  return { range, text, holds: cidrMatcher(range), endpoints: 0, networks: 0, endpoint: "", network: "" };
}

function countNetworks(candidate: Candidate, networks: readonly Cidr[], by: 1 | -1): void {
  for (const network of networks) {
    if (!overlap(candidate.range, network)) continue;
    candidate.networks += by;
    if (by > 0) candidate.network = textOf(network);
  }
}

function count(candidate: Candidate, slice: EndpointSlice, by: 1 | -1): void {
  if (slice.family !== familyOf(candidate.range.address) || serviceOf(slice) === undefined) return;
  for (const { address } of slice.endpoints) {
    if (!candidate.holds(address)) continue;
    candidate.endpoints += by;
    if (by > 0) candidate.endpoint = `the endpoint ${address} of EndpointSlice ${slice.namespace}/${slice.name}`;
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
