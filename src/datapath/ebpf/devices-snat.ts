// SPDX-License-Identifier: Apache-2.0
// The address that masqueraded packets get, by the device they leave by (clause E6): the device's own first global
// address, else the node's.

import type { AddressInfo } from "../../libbpf/types.ts";
import { type Family, familyOf, type Ip, ipFromBytes } from "../../model/ip.ts";
import type { NetworkView } from "../network.ts";

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
    snat4: firstGlobal(network.addresses, ifindex, 4) ?? node4,
    snat6: firstGlobal(network.addresses, ifindex, 6) ?? node6,
  });
}

/** The node's address if a device has it, else the source that the default route prefers or its device has. */
function nodeSource(network: NetworkView, nodeAddresses: readonly Ip[], family: Family): Ip | undefined {
  const held = new Set(network.addresses.map(({ address }) => ipFromBytes(address)));
  const own = nodeAddresses.find((ip) => familyOf(ip) === family && held.has(ip));
  if (own) return own;
  const routes = network.defaultRoutes.filter((route) => route.family === family);
  const route = routes.find(({ table }) => table === MAIN_TABLE) ?? routes[0];
  if (!route) return undefined;
  if (route.preferredSource) return ipFromBytes(route.preferredSource);
  return firstGlobal(network.addresses, route.outputIfindex, family);
}

function firstGlobal(addresses: readonly AddressInfo[], ifindex: number, family: Family): Ip | undefined {
  const usable = addresses.filter(
    (held) =>
      held.ifindex === ifindex &&
      held.address.length === (family === 4 ? 4 : 16) &&
      held.scope === RT_SCOPE_UNIVERSE &&
      (held.flags & NOT_USABLE) === 0,
  );
  const first = usable.find(({ flags }) => (flags & NOT_PREFERRED) === 0) ?? usable[0];
  return first && ipFromBytes(first.address);
}
