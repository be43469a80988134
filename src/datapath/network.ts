// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says of this network namespace, kept current: links, addresses and default routes. Other routes are let
// pass, so that a router with a full table costs nothing.

import type { AddressInfo, LinkInfo, Netlink, NetlinkEvent, RouteInfo } from "../libbpf/types.ts";

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
  #changed: (() => void) | undefined;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
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
    this.#netlink[Symbol.dispose]();
  }

  #list(): void {
    this.#links.clear();
    this.#addresses.clear();
    this.#defaultRoutes.clear();
    for (const link of this.#netlink.links()) this.#links.set(link.ifindex, link);
    for (const address of this.#netlink.addresses()) this.#addresses.set(addressKey(address), address);
    for (const route of this.#netlink.routes()) {
      if (isDefault(route)) this.#defaultRoutes.set(routeKey(route), route);
    }
  }

  #onEvent(event: NetlinkEvent): void {
    if (!this.#take(event)) return;
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#changed?.();
    });
  }

  /** False: nothing that we keep has changed. */
  #take(event: NetlinkEvent): boolean {
    switch (event.kind) {
      case "overrun":
        this.#list();
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

function isDefault(route: RouteInfo): boolean {
  return route.destination === undefined && route.prefixLength === 0 && route.type === RTN_UNICAST;
}

function addressKey(address: AddressInfo): string {
  return `${address.ifindex} ${Buffer.from(address.address).toString("hex")}`;
}

function routeKey(route: RouteInfo): string {
  const gateway = route.gateway ? Buffer.from(route.gateway).toString("hex") : "";
  return `${route.family} ${route.table} ${route.outputIfindex} ${gateway}`;
}
