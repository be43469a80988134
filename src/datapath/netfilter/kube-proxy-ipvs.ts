// SPDX-License-Identifier: Apache-2.0
// What a kube-proxy in IPVS mode has beside its chains: virtual servers, the device that holds their addresses, sets. With a
// virtual server goes what it carries, so nothing of it goes while there is a connection. (`kube-proxy --cleanup` empties
// IPVS: of others' virtual servers too, row 85.)

import { familyOf, type Ip, parseIp } from "../../model/ip.ts";
import { runIp } from "./ip.ts";
import { destroySets, savedSets } from "./ipset.ts";
import { IPVS_DEVICE, SET_NAMES, type SetName, setNameOf } from "./ipvs-names.ts";
import {
  deleteVirtualServers,
  readCarried,
  readVirtualServers,
  serverName,
  type VirtualServer,
} from "./virtual-servers.ts";

export interface AddressesByDevice {
  /** Of IPVS_DEVICE. */
  readonly vips: ReadonlySet<Ip>;
  /** Of all other devices. */
  readonly others: ReadonlySet<Ip>;
}

export interface KubeProxyIpvs {
  readonly servers: readonly VirtualServer[];
  /** Connections, ended ones too for as long as IPVS remembers them. */
  readonly carried: number;
}

/** Rejects with NetfilterError. */
export async function findKubeProxyIpvs(addresses: AddressesByDevice): Promise<KubeProxyIpvs> {
  const all = await readVirtualServers();
  const servers = all.length === 0 ? [] : theirServers(all, await savedSets(), addresses);
  const counts = await readCarried();
  return { servers, carried: servers.reduce((sum, server) => sum + (counts.get(serverName(server)) ?? 0), 0) };
}

/** Sets of addresses and ports that kube-proxy serves. */
const SERVED: readonly SetName[] = [
  "KUBE-CLUSTER-IP",
  "KUBE-EXTERNAL-IP",
  "KUBE-EXTERNAL-IP-LOCAL",
  "KUBE-LOAD-BALANCER",
  "KUBE-NODE-PORT-SCTP-HASH",
];
const NODE_PORTS: Readonly<Record<string, SetName>> = { TCP: "KUBE-NODE-PORT-TCP", UDP: "KUBE-NODE-PORT-UDP" };

/**
 * Those on addresses that the device holds, those that kube-proxy's sets name (an address that the node has anyhow is not put on
 * the device), and node ports on the node's own. saved: as savedSets(). Pure.
 */
export function theirServers<Server extends VirtualServer>(
  servers: readonly Server[],
  saved: readonly string[],
  { vips, others }: AddressesByDevice,
): readonly Server[] {
  const members = new Set(saved.flatMap((line) => /^add (KUBE-\S+ \S+)/.exec(line)?.[1] ?? []).map(canonical));
  return servers.filter((server) => {
    const { protocol, address, port } = server;
    const family = familyOf(address);
    const named = (set: SetName, member: string): boolean => members.has(`${setNameOf(set, family)} ${member}`);
    if (vips.has(address) || SERVED.some((set) => named(set, `${address},${protocol.toLowerCase()}:${port}`)))
      return true;
    const nodePorts = NODE_PORTS[protocol];
    return others.has(address) && nodePorts !== undefined && named(nodePorts, String(port));
  });
}

/** With the address as an Ip is written. */
function canonical(member: string): string {
  return member.replace(/ ([^ ,]+),/, (whole, address) => {
    const ip = parseIp(address);
    return ip === undefined ? whole : ` ${ip},`;
  });
}

/** Nothing may refer to their sets any more but what stays. Resolves with the sets that stay for it. Rejects with NetfilterError. */
export async function removeKubeProxyIpvs({ servers }: KubeProxyIpvs): Promise<readonly string[]> {
  await deleteVirtualServers(servers);
  const kept = await destroySets(SET_NAMES);
  await runIp(["link", "delete", IPVS_DEVICE]); // last: it is what tells that they were here
  return kept;
}
