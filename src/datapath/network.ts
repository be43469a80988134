// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says of this network namespace, kept current: links, addresses and default routes. Other routes are let
// pass, so that a router with a full table costs nothing.

import type { AddressInfo, LinkInfo, Netlink, NetlinkEvent, RouteInfo } from "../libbpf/types.ts";

/** After an overrun, when the kernel does not answer. */
const RETRY_MS = 1000;
/** Between word of a device or an address that goes and the listing of routes: the kernel drops IPv4's after that word. */
const ROUTES_DOUBT_MS = 100;

export interface NetworkView {
  readonly links: readonly LinkInfo[];
  readonly addresses: readonly AddressInfo[];
  readonly defaultRoutes: readonly RouteInfo[];
}

export class Network implements Disposable {
  readonly #netlink: Netlink;
  readonly #links = new Map<number, LinkInfo>();
  readonly #addresses = new Map<string, AddressInfo>();
  readonly #defaultRoutes = new Map<string, RouteInfo>();
  readonly #onError: (error: unknown) => void;
  #stale = false;
  #retry: NodeJS.Timeout | undefined;
  #routesDoubted: NodeJS.Timeout | undefined;
  #changed: (() => void) | undefined;
  #scheduled: NodeJS.Immediate | undefined;

  /** onError: the kernel did not answer after an overrun; it is asked again. */
  constructor(netlink: Netlink, onError: (error: unknown) => void) {
    this.#netlink = netlink;
    this.#onError = onError;
    netlink.watch((event) => this.#onEvent(event));
    this.#list();
  }

  view(): NetworkView {
    return {
      links: [...this.#links.values()],
      addresses: [...this.#addresses.values()],
      defaultRoutes: [...this.#defaultRoutes.values()],
    };
  }

  /** Calls back once for every burst of changes. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  [Symbol.dispose](): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    clearTimeout(this.#retry);
    clearTimeout(this.#routesDoubted);
    this.#netlink[Symbol.dispose]();
  }

  #list(): void {
    const [links, addresses, routes] = [this.#netlink.links(), this.#netlink.addresses(), this.#netlink.routes()];
    this.#links.clear();
    this.#addresses.clear();
    for (const link of links) this.#links.set(link.ifindex, link);
    for (const address of addresses) this.#addresses.set(addressKey(address), address);
    this.#setRoutes(routes);
  }

  #setRoutes(routes: readonly RouteInfo[]): void {
    this.#defaultRoutes.clear();
    for (const route of routes) if (isDefault(route)) this.#defaultRoutes.set(routeKey(route), route);
  }

  /**
   * The kernel says nothing of IPv4 routes that go with their device or their address, so they are listed again, once for
   * a burst. Only where a default route may be gone: pods come and go, and a router's table is long.
   */
  #doubtRoutes(ifindex: number, address?: Uint8Array): void {
    const concerned = [...this.#defaultRoutes.values()].some(
      ({ outputIfindex, otherIfindexes, preferredSource }) =>
        [outputIfindex, ...otherIfindexes].includes(ifindex) ||
        (address && preferredSource && Buffer.compare(address, preferredSource) === 0),
    );
    if (!concerned) return;
    clearTimeout(this.#routesDoubted);
    this.#routesDoubted = setTimeout(() => this.#listRoutes(), ROUTES_DOUBT_MS);
  }

  #listRoutes(): void {
    const known = [...this.#defaultRoutes.keys()].sort().join();
    try {
      this.#setRoutes(this.#netlink.routes());
    } catch (error) {
      this.#onError(error);
      this.#routesDoubted = setTimeout(() => this.#listRoutes(), RETRY_MS);
      return;
    }
    if ([...this.#defaultRoutes.keys()].sort().join() !== known) this.#changed?.();
  }

  #onEvent(event: NetlinkEvent): void {
    if (!this.#take(event)) return;
    this.#scheduled ??= setImmediate(() => this.#settle());
  }

  #settle(): void {
    this.#scheduled = undefined;
    try {
      if (this.#stale) this.#list();
      this.#stale = false;
    } catch (error) {
      this.#onError(error);
      this.#retry = setTimeout(() => this.#settle(), RETRY_MS);
      return;
    }
    this.#changed?.();
  }

  /** False: nothing that we keep has changed. */
  #take(event: NetlinkEvent): boolean {
    switch (event.kind) {
      case "overrun":
        this.#stale = true;
        return true;
      case "link":
        if (event.removed || !event.link.up) this.#doubtRoutes(event.link.ifindex);
        if (event.removed) return this.#links.delete(event.link.ifindex);
        this.#links.set(event.link.ifindex, event.link);
        return true;
      case "address":
        if (event.removed) {
          this.#doubtRoutes(event.address.ifindex, event.address.address);
          return this.#addresses.delete(addressKey(event.address));
        }
        this.#addresses.set(addressKey(event.address), event.address);
        return true;
      case "route":
        if (!isDefault(event.route)) return false;
        if (event.removed) return this.#defaultRoutes.delete(routeKey(event.route));
        this.#defaultRoutes.set(routeKey(event.route), event.route);
        return true;
    }
  }
}

const RTN_UNICAST = 1;
const ARPHRD_LOOPBACK = 772;

/** Neither loopback nor dummy. */
export function carriesTraffic({ arpType, kind }: LinkInfo): boolean {
  return arpType !== ARPHRD_LOOPBACK && kind !== "dummy";
}

function isDefault(route: RouteInfo): boolean {
  return route.destination === undefined && route.prefixLength === 0 && route.type === RTN_UNICAST;
}

/** What tells two of them apart: a device may have one IPv4 address with several prefixes, while one takes the other's place. */
function addressKey({ ifindex, address, prefixLength }: AddressInfo): string {
  return `${ifindex} ${Buffer.from(address).toString("hex")}/${prefixLength}`;
}

function routeKey(route: RouteInfo): string {
  const gateway = route.gateway ? Buffer.from(route.gateway).toString("hex") : "";
  return `${route.family} ${route.table} ${route.metric} ${route.outputIfindex} ${gateway}`;
}
