// SPDX-License-Identifier: Apache-2.0
// The node's addresses, and which of them serve NodePorts (behaviour rows 27 and 28). Pure.

import type { NodeAddress } from "../datapath/contract.ts";
import { IPVS_DEVICE } from "../datapath/netfilter/ipvs-names.ts";
import type { NetworkView } from "../datapath/network.ts";
import type { HealthPlaces } from "../health/health-servers.ts";
import { type Cidr, type Family, familyOf, type Ip, ipFromBytes, isInCidr, parseCidr } from "../model/ip.ts";
import { UsageError } from "./errors.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** "primary": only the Node object's first address of each family; no CIDR of a family: every address of it. */
export type NodePortRule = "primary" | readonly Cidr[];

/** Throws UsageError for what is neither CIDRs nor the single word "primary". */
export function parseNodePortRule(items: readonly string[]): NodePortRule {
  if (items.length === 1 && items[0] === "primary") return "primary";
  return items.map((item) => {
    const cidr = parseCidr(item);
    if (cidr) return cidr;
    const hint = item === "primary" ? '"primary" stands alone' : "give CIDRs such as 192.0.2.0/24";
    throw new UsageError(`--nodeport-addresses: ${JSON.stringify(item)} is no CIDR; ${hint}`);
  });
}

/** A family that the CIDRs leave out is served whole, as kube-proxy has it, which who names CIDRs may not expect. */
export function nodePortWarnings(rule: NodePortRule): readonly string[] {
  if (rule === "primary" || rule.length === 0) return [];
  const families: readonly [Family, string][] = [
    [4, "0.0.0.0/0"],
    [6, "::/0"],
  ];
  return families
    .filter(([family]) => !rule.some(({ address }) => familyOf(address) === family))
    .map(
      ([family, all]) =>
        `--nodeport-addresses names no IPv${family} addresses, so NodePorts are served on all of this node's: add ${all} if that is meant`,
    );
}

/** Addresses on interfaces of this node, but for those that IPVS mode makes it hold. */
export function localAddresses({ links, addresses }: Pick<NetworkView, "links" | "addresses">): ReadonlySet<Ip> {
  const ipvs = links.find(({ name }) => name === IPVS_DEVICE)?.ifindex;
  const own = addresses.filter(({ ifindex }) => ifindex !== ipvs);
  return new Set(own.map(({ address }) => ipFromBytes(address)));
}

/** Those that a Service's ClusterIP could be: with every veth comes a link-local one, and goes. */
export function globalAddresses(local: ReadonlySet<Ip>): ReadonlySet<Ip> {
  return new Set([...local].filter((address) => !address.startsWith("fe80:")));
}

/**
 * Every local address once; then the Node object's others, own, which are on no interface (a cloud's external address):
 * they are this node to `explain`, but only local addresses serve NodePorts. localhost: those of loopback may too (29).
 * primary: what the rule of that name means, if local and not loopback.
 */
export function nodeAddresses(
  local: ReadonlySet<Ip>,
  rule: NodePortRule,
  own: readonly Ip[],
  localhost = true,
  primary: readonly Ip[] = firstOfEachFamily(own),
): readonly NodeAddress[] {
  return [...new Set([...local, ...own])].map((address) => {
    const loopback = isLoopback(address);
    const chosen = rule === "primary" ? !loopback && primary.includes(address) : isWithin(address, rule);
    const entry = { address, loopback, nodePort: chosen && local.has(address) && (localhost || !loopback) };
    return local.has(address) ? entry : { ...entry, elsewhere: true };
  });
}

/**
 * Where health checks are answered (row 66): on every address of a family whose NodePorts are served on all, else on
 * those that serve NodePorts. Link-local ones are left out: to bind one takes a device too.
 */
export function healthPlaces(rule: NodePortRule, addresses: readonly NodeAddress[]): HealthPlaces {
  const placesOf = (family: Family): readonly string[] => {
    if (rule !== "primary" && !rule.some((cidr) => familyOf(cidr.address) === family && cidr.prefixLength > 0)) {
      return [family === 4 ? "0.0.0.0" : "::"];
    }
    const serving = addresses.filter(({ address, nodePort }) => nodePort && familyOf(address) === family);
    return serving.map(({ address }) => address).filter((address) => !isLinkLocal(address));
  };
  return new Map(FAMILIES.map((family) => [family, placesOf(family)]));
}

function firstOfEachFamily(addresses: readonly Ip[]): readonly Ip[] {
  return FAMILIES.flatMap((family) => addresses.find((address) => familyOf(address) === family) ?? []);
}

function isWithin(address: Ip, cidrs: readonly Cidr[]): boolean {
  const ofFamily = cidrs.filter((cidr) => familyOf(cidr.address) === familyOf(address));
  return ofFamily.length === 0 || ofFamily.some((cidr) => isInCidr(address, cidr));
}

/** fe80::/10 */
function isLinkLocal(address: Ip): boolean {
  return /^fe[89ab].:/.test(address);
}

function isLoopback(address: Ip): boolean {
  return address === "::1" || address.startsWith("127.");
}
