// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says of this network namespace, kept current: links, addresses and default routes. Other routes are let
// pass, so that a router with a full table costs nothing.

import type { AddressInfo, LinkInfo, Netlink, NetlinkEvent, RouteInfo } from "../libbpf/types.ts";

/** After an overrun, when the kernel does not answer. */
const RETRY_MS = 1000;

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
    this.#netlink[Symbol.dispose]();
  }

  #list(): void {
    const [links, addresses, routes] = [this.#netlink.links(), this.#netlink.addresses(), this.#netlink.routes()];
    this.#links.clear();
    this.#addresses.clear();
    this.#defaultRoutes.clear();
    for (const link of links) this.#links.set(link.ifindex, link);
    for (const address of addresses) this.#addresses.set(addressKey(address), address);
    for (const route of routes) if (isDefault(route)) this.#defaultRoutes.set(routeKey(route), route);
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
        if (event.removed) return this.#links.delete(event.link.ifindex);
        this.#links.set(event.link.ifindex, event.link);
        return true;
      case "address":
        if (event.removed) return this.#addresses.delete(addressKey(event.address));
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
