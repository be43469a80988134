// SPDX-License-Identifier: Apache-2.0
// The address that masqueraded packets get, by the device they leave by (clause E6): one of the device's own, else the
// node's.

import type { LinkInfo, RouteInfo } from "../../libbpf/types.ts";
import { type Family, familyOf, type Ip, ipFromBytes } from "../../model/ip.ts";
import { carriesTraffic, type NetworkView } from "../network.ts";

export interface SnatSources {
  readonly snat4: Ip | undefined;
  readonly snat6: Ip | undefined;
}

const RT_SCOPE_UNIVERSE = 0;
// IFA_F_SECONDARY is IFA_F_TEMPORARY for IPv6: a privacy address, which goes away again.
const IFA_F_SECONDARY = 0x01;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;
const NOT_PREFERRED = IFA_F_SECONDARY | IFA_F_DEPRECATED;
const NOT_USABLE = IFA_F_DADFAILED | IFA_F_TENTATIVE;
const MAIN_TABLE = 254;

/** nodeAddresses: the Node object's, most important first. */
export function snatSources(network: NetworkView, nodeAddresses: readonly Ip[]): (ifindex: number) => SnatSources {
  const node4 = nodeSource(network, nodeAddresses, 4);
  const node6 = nodeSource(network, nodeAddresses, 6);
  return (ifindex) => ({
    snat4: ownSource(network, ifindex, 4, nodeAddresses) ?? node4,
    snat6: ownSource(network, ifindex, 6, nodeAddresses) ?? node6,
  });
}

/**
 * The node's address if a device has it, else the source that the best default route prefers or its device has, else that of
 * any device, as the kernel does: while routes are away, pods without an address on their veth are masqueraded to all the same.
 */
function nodeSource(network: NetworkView, nodeAddresses: readonly Ip[], family: Family): Ip | undefined {
  const held = new Set(network.addresses.map(({ address }) => ipFromBytes(address)));
  const own = nodeAddresses.find((ip) => familyOf(ip) === family && held.has(ip));
  if (own) return own;
  for (const { outputIfindex, preferredSource } of routesByRank(network.defaultRoutes, family)) {
    const preferred = preferredSource && ipFromBytes(preferredSource);
    // One whose device has lost its address may be on its way out.
    if (preferred && held.has(preferred)) return preferred;
    const source = ownSource(network, outputIfindex, family, nodeAddresses);
    if (source) return source;
  }
  for (const { ifindex } of linksByRank(network.links)) {
    const source = ownSource(network, ifindex, family, nodeAddresses);
    if (source) return source;
  }
  return undefined;
}

/** The main table's first, and there the lowest metric. */
function routesByRank(routes: readonly RouteInfo[], family: Family): readonly RouteInfo[] {
  const besideMain = ({ table }: RouteInfo): number => Number(table !== MAIN_TABLE);
  return routes
    .filter((route) => route.family === family)
    .sort((a, b) => besideMain(a) - besideMain(b) || a.metric - b.metric);
}

/** Loopback and dummy devices last: what stands there may be a Service's. */
function linksByRank(links: readonly LinkInfo[]): readonly LinkInfo[] {
  return [...links.filter(carriesTraffic), ...links.filter((link) => !carriesTraffic(link))];
}

/**
 * The Node object's address if the device has it; else its first that is not alone in its prefix, as those are that move
 * from node to node (a VIP of kube-vip or keepalived): replies to one would follow it.
 */
function ownSource(
  { addresses }: NetworkView,
  ifindex: number,
  family: Family,
  nodeAddresses: readonly Ip[],
): Ip | undefined {
  const width = family === 4 ? 32 : 128;
  const usable = addresses.filter(
    (held) =>
      held.ifindex === ifindex &&
      held.address.length === width / 8 &&
      held.scope === RT_SCOPE_UNIVERSE &&
      (held.flags & NOT_USABLE) === 0,
  );
  const lasting = usable.filter(({ flags }) => (flags & NOT_PREFERRED) === 0);
  const own = new Set(lasting.map(({ address }) => ipFromBytes(address)));
  const named = nodeAddresses.find((ip) => own.has(ip));
  if (named) return named;
  const source = lasting.find(({ prefixLength }) => prefixLength < width) ?? lasting[0] ?? usable[0];
  return source && ipFromBytes(source.address);
}
