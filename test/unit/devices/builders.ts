// SPDX-License-Identifier: Apache-2.0
// Short forms of rtnetlink's answers for the tests of device classification.

import type { NetworkView } from "../../../src/datapath/network.ts";
import type { AddressInfo, LinkInfo, RouteInfo } from "../../../src/libbpf/types.ts";
import { type Ip, parseIp } from "../../../src/model/ip.ts";

export function link(ifindex: number, name: string, more: Partial<LinkInfo> = {}): LinkInfo {
  return {
    ifindex,
    name,
    kind: "",
    arpType: 1,
    master: 0,
    link: 0,
    linkNetnsid: undefined,
    mac: Uint8Array.of(2, 0, 0, 0, 0, ifindex),
    mtu: 1500,
    up: true,
    ...more,
  };
}

/** A veth whose other end is in another network namespace. */
export function veth(ifindex: number, name: string, more: Partial<LinkInfo> = {}): LinkInfo {
  return link(ifindex, name, { kind: "veth", link: 2, linkNetnsid: 1, ...more });
}

export function address(ifindex: number, bytes: readonly number[], more: Partial<AddressInfo> = {}): AddressInfo {
  const prefixLength = bytes.length === 4 ? 24 : 64;
  return { ifindex, address: Uint8Array.from(bytes), prefixLength, scope: 0, flags: 0x80, ...more };
}

export function defaultRoute(outputIfindex: number, more: Partial<RouteInfo> = {}): RouteInfo {
  return {
    family: 4,
    destination: undefined,
    prefixLength: 0,
    outputIfindex,
    otherIfindexes: [],
    gateway: Uint8Array.of(192, 0, 2, 1),
    preferredSource: undefined,
    table: 254,
    metric: 0,
    type: 1,
    ...more,
  };
}

export function network(view: Partial<NetworkView>): NetworkView {
  return { links: [], addresses: [], defaultRoutes: [], ...view };
}

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (!parsed) throw new Error(`${text} is no address`);
  return parsed;
}
