// SPDX-License-Identifier: Apache-2.0
// Which ClusterIPs the rules of a kube-proxy serve, mode by mode.

import { findTables } from "./iptables.ts";
import { FAMILIES, type KubeProxyRules, NFT_TABLES, nameOf, nftPlace } from "./kube-proxy.ts";
import { nft } from "./nftables.ts";
import { readVirtualServers, serverName } from "./virtual-servers.ts";

/** protocol: "TCP" */
export function clusterIpName(protocol: string, address: string, port: number): string {
  return `${address} ${port}/${protocol.toUpperCase()}`;
}

/** As clusterIpName() has them. Rejects with NetfilterError. */
export async function servedByKubeProxy(rules: readonly KubeProxyRules[]): Promise<ReadonlySet<string>> {
  const served = new Set<string>();
  for (const { mode, places } of rules) for (const name of await SERVED[mode](places)) served.add(name);
  return served;
}

type Served = (places: readonly string[]) => Promise<readonly string[]>;

const SERVED: Readonly<Record<KubeProxyRules["mode"], Served>> = {
  iptables: async (places) => {
    const tables = FAMILIES.flatMap((family) => findTables(family, "nat")).filter((table) =>
      places.includes(nameOf(table)),
    );
    const rules = await Promise.all(tables.map((table) => table.rules("KUBE-SERVICES")));
    return rules.flatMap(iptablesServices);
  },
  nftables: async (places) => {
    const tables = NFT_TABLES.filter((table) => places.includes(nftPlace(table)));
    const maps = await Promise.all(tables.map((table) => nft(["list", "map", ...table.split(" "), "service-ips"])));
    return maps.flatMap(nftServices);
  },
  ipvs: async () => (await readVirtualServers()).map(serverName),
};

/** rules: of table nat, as `iptables -S` prints them. */
export function iptablesServices(rules: readonly string[]): readonly string[] {
  const rule = /^-A KUBE-SERVICES -d (\S+)\/(?:32|128) -p (\w+) .*--dport (\d+) .*-j KUBE-(?:SVC|SVL)-\S+$/;
  return rules.flatMap((text) => {
    const [, address = "", protocol = "", port] = rule.exec(text) ?? [];
    return port === undefined ? [] : [clusterIpName(protocol, address, Number(port))];
  });
}

/** map: service-ips, as `nft list map` prints it. */
export function nftServices(map: string): readonly string[] {
  const element = /([0-9a-f.:]+) \. (tcp|udp|sctp) \. (\d+)(?: comment "[^"]*")? : goto service-/g;
  return [...map.matchAll(element)].map(([, address = "", protocol = "", port]) =>
    clusterIpName(protocol, address, Number(port)),
  );
}
