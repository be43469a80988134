// SPDX-License-Identifier: Apache-2.0
// What a kube-proxy has at work in this network namespace, whether its process still runs or has left it behind: packets
// meet it all the same. KUBE-FIREWALL and KUBE-KUBELET-CANARY are the kubelet's and no sign of it.

import { existsSync, readFileSync } from "node:fs";
import type { Family } from "../../model/ip.ts";
import { findTables, type RuleTable, type TableName } from "./iptables.ts";
import { isIpvsOurs } from "./ipvs-mode.ts";
import { IPVS_DEVICE } from "./ipvs-names.ts";
import { keptChains, removal } from "./kube-proxy-chains.ts";
import { type KubeProxyIpvs, removeKubeProxyIpvs } from "./kube-proxy-ipvs.ts";
import { deleteNftTables, type NftTable, nftTables } from "./nftables.ts";
import { areOurs, CANARY, KUBE_PROXY_CANARY } from "./own-chains.ts";
import { ensureTranslation } from "./translation.ts";

export const FAMILIES: readonly Family[] = [4, 6];
const TABLES: readonly TableName[] = ["nat", "filter", "mangle"];
export const NFT_TABLES: readonly NftTable[] = ["ip kube-proxy", "ip6 kube-proxy"];
/** Where a kube-proxy says that it is healthy, and its metrics. */
const PORTS: readonly number[] = [10_256, 10_249];
const TCP_LISTEN = "0A";

/** Rules of a kube-proxy that packets meet. */
export interface KubeProxyRules {
  readonly mode: "iptables" | "nftables" | "ipvs";
  /** Where they are, for people: "iptables-nft", "nftables table ip kube-proxy", "device kube-ipvs0". */
  readonly places: readonly string[];
}

export interface KubeProxyTraces {
  /** One for each mode that is there: a node may bear what several have left. */
  readonly rules: readonly KubeProxyRules[];
  /** Somebody listens where a kube-proxy does: a hint that it runs, no more. */
  readonly listening: boolean;
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

/** devices: names of those of this network namespace. */
export async function findKubeProxy(devices: readonly string[]): Promise<KubeProxyTraces> {
  const unseen: string[] = [];
  const tables = FAMILIES.flatMap((family) => {
    const found = findTables(family, "nat");
    if (found.length === 0) unseen.push(`IPv${family}: iptables is not installed`);
    return found;
  });
  const looks = tables.map((table) => sees(() => leadsToServices(table), unseen));
  const [leads, nftables = []] = await Promise.all([Promise.all(looks), sees(nftPlaces, unseen)]);
  const iptables = tables.filter((_, index) => leads[index]).map(nameOf);
  const ipvs = devices.includes(IPVS_DEVICE) && !(await sees(isIpvsOurs, unseen)) ? [`device ${IPVS_DEVICE}`] : [];
  const found = [
    // IPVS mode has chains of the same names beside its virtual servers.
    { mode: "iptables", places: ipvs.length > 0 ? [] : iptables },
    { mode: "nftables", places: nftables.map(nftPlace) },
    { mode: "ipvs", places: ipvs },
  ] as const;
  return { rules: found.filter(({ places }) => places.length > 0), listening: kubeProxyListens(), unseen };
}

async function sees<T>(look: () => Promise<T>, unseen: string[]): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    unseen.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Of one chain alone: KUBE-SERVICES has a rule for each Service, and nobody can enter it without this jump. */
async function leadsToServices(table: RuleTable): Promise<boolean> {
  const rules = await Promise.all([table.rules("PREROUTING"), table.rules("OUTPUT")]);
  return rules.flat().some((rule) => / -j KUBE-SERVICES$/.test(rule)) && !(await areOurs(table));
}

async function nftPlaces(): Promise<readonly NftTable[]> {
  const tables = await nftTables();
  if (tables === undefined) throw new Error("nftables: nft is not installed");
  return NFT_TABLES.filter((table) => tables.includes(table));
}

/** What KubeProxyRules.places calls it: iptables-nft of /usr/sbin/iptables-nft. */
export function nameOf({ command }: RuleTable): string {
  return command.replace(/.*\//, "");
}

/** Likewise. */
export function nftPlace(table: NftTable): string {
  return `nftables table ${table}`;
}

function kubeProxyListens(): boolean {
  return ["/proc/net/tcp", "/proc/net/tcp6"].some((file) => existsSync(file) && listens(readFileSync(file, "utf8")));
}

/** procNetTcp: /proc/net/tcp or tcp6 */
export function listens(procNetTcp: string): boolean {
  return procNetTcp.split("\n").some((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return state === TCP_LISTEN && PORTS.includes(Number.parseInt(local.replace(/.*:/, ""), 16));
  });
}

/** What was done to a kube-proxy's rules. */
export interface Removed {
  readonly chains: number;
  readonly nftTables: readonly string[];
  readonly virtualServers: number;
  /** Chains that rules of others lead to and sets that they name, so that they stay. */
  readonly kept: readonly string[];
}

/**
 * Takes away the rules of all modes, of both families, each table at once. What netfilter has begun goes on by its connection
 * tracking (translation.ts sees to that). ipvs: what of that mode is there and carries nothing. Rejects with NetfilterError; it
 * may be tried again.
 */
export async function removeKubeProxyRules(ipvs: KubeProxyIpvs | undefined): Promise<Removed> {
  let chains = 0;
  const kept: string[] = [];
  for (const family of FAMILIES) {
    for (const name of TABLES) {
      for (const table of findTables(family, name)) {
        const rules = await table.rules();
        // Chains that ours of iptables mode have taken over are ours, and no longer to be removed but for what says otherwise.
        const ours = rules.includes(`-N ${CANARY}`);
        const { lines, removed } = removal(
          name,
          ours ? rules.filter((rule) => rule === `-N ${KUBE_PROXY_CANARY}`) : rules,
        );
        if (lines.length > 0) await table.restore(lines);
        chains += removed;
        if (!ours) kept.push(...keptChains(name, rules).map((chain) => `${chain} of ${nameOf(table)}`));
      }
    }
  }
  const present = (await nftTables()) ?? [];
  const tables = NFT_TABLES.filter((table) => present.includes(table));
  if (tables.length > 0) await deleteNftTables(tables);
  if (ipvs) kept.push(...(await removeKubeProxyIpvs(ipvs)).map((set) => `set ${set}`));
  return { chains, nftTables: tables, virtualServers: ipvs?.servers.length ?? 0, kept };
}

/** Sees to it that what these rules have begun is translated on when they are gone. Rejects with NetfilterError. */
export async function keepTranslating(): Promise<void> {
  for (const family of FAMILIES) {
    const [table] = findTables(family, "nat");
    if (table) await ensureTranslation(table);
  }
}
