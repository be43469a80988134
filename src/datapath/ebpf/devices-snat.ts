// SPDX-License-Identifier: Apache-2.0
// The address that masqueraded packets get, by the device they leave by (clause E6): the device's own first global
// address, else the node's.

import type { AddressInfo } from "../../libbpf/types.ts";
import type { NetworkView } from "../network.ts";

export interface SnatSources {
  /** 4 bytes */
  readonly snat4: Uint8Array | undefined;
  /** 16 bytes */
  readonly snat6: Uint8Array | undefined;
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

/** nodeAddresses: the Node object's InternalIPs, 4 or 16 bytes each. */
export function snatSources(
  network: NetworkView,
  nodeAddresses: readonly Uint8Array[],
): (ifindex: number) => SnatSources {
  const node4 = nodeSource(network, nodeAddresses, 4);
  const node6 = nodeSource(network, nodeAddresses, 16);
  return (ifindex) => ({
    snat4: firstGlobal(network.addresses, ifindex, 4) ?? node4,
    snat6: firstGlobal(network.addresses, ifindex, 16) ?? node6,
  });
}

/** The node's InternalIP if a device has it, else the source that the default route prefers or its device has. */
function nodeSource(network: NetworkView, nodeAddresses: readonly Uint8Array[], size: number): Uint8Array | undefined {
  const own = nodeAddresses.find(
    (address) =>
      address.length === size && network.addresses.some((held) => Buffer.compare(held.address, address) === 0),
  );
  if (own) return own;
  const routes = network.defaultRoutes.filter((route) => route.family === (size === 4 ? 4 : 6));
  const route = routes.find(({ table }) => table === MAIN_TABLE) ?? routes[0];
  if (!route) return undefined;
  return route.preferredSource ?? firstGlobal(network.addresses, route.outputIfindex, size);
}

function firstGlobal(addresses: readonly AddressInfo[], ifindex: number, size: number): Uint8Array | undefined {
  const usable = addresses.filter(
    (held) =>
      held.ifindex === ifindex &&
      held.address.length === size &&
      held.scope === RT_SCOPE_UNIVERSE &&
      (held.flags & NOT_USABLE) === 0,
  );
  return (usable.find(({ flags }) => (flags & NOT_PREFERRED) === 0) ?? usable[0])?.address;
}
