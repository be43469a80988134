// SPDX-License-Identifier: Apache-2.0
// Which devices carry Service traffic, and what lies behind each. Pure: a view of the network in, the contents of the map
// `devices` out.

import type { AddressInfo, LinkInfo } from "../../libbpf/types.ts";
import { type Ip, ipFromBytes } from "../../model/ip.ts";
import { carriesTraffic, type NetworkView } from "../network.ts";
import { snatSources } from "./snat.ts";

/** What lies behind a device; the flags of struct device in these terms. */
export interface DeviceRole {
  readonly uplink: boolean;
  readonly pod: boolean;
  readonly bridge: boolean;
  readonly bridgePort: boolean;
  /** No Ethernet header. */
  readonly l3: boolean;
  readonly overlay: boolean;
  /** Clients behind it are local pods by the name of their interface (BridgeInterface, InterfaceNamePrefix). */
  readonly local: boolean;
}

export interface Device {
  readonly ifindex: number;
  readonly name: string;
  readonly role: DeviceRole;
  /** Ifindex of the bridge it is a port of, else 0. */
  readonly bridgeIfindex: number;
  /** Undefined: packets of that family that leave here cannot be masqueraded. */
  readonly snat4: Ip | undefined;
  readonly snat6: Ip | undefined;
  /** The bridge's for a bridge port; 6 bytes. */
  readonly mac: Uint8Array;
}

export interface DeviceRules {
  /** Glob patterns of names that are uplinks, beside those found. */
  readonly uplinkPatterns: readonly string[];
  /** Glob patterns of names that lead to pods, whatever they look like. */
  readonly podPatterns: readonly string[];
  /** The Node object's addresses. */
  readonly nodeAddresses: readonly Ip[];
  /** Whether clients that netfilter would see coming in by an interface of this name are local pods; absent: none is. */
  readonly isLocalInterface?: ((name: string) => boolean) | undefined;
  /** What devices were before now; absent: none was anything. */
  readonly earlier?: EarlierRoles;
}

/**
 * Roles that stay with a device while it exists, as ifindexes. They come from addresses, routes and the Node object,
 * which may be away for a moment, at an agent's start too; connections go on through it meanwhile.
 */
export interface EarlierRoles {
  readonly uplinks: ReadonlySet<number>;
  readonly bridges: ReadonlySet<number>;
}

const ARPHRD_ETHER = 1;
const POD_KINDS: ReadonlySet<string> = new Set(["veth", "netkit"]);
/** What these carry comes from other nodes, so they are edges like uplinks. */
const TUNNEL_KINDS: ReadonlySet<string> = new Set([
  ...["vxlan", "geneve", "gretap", "ip6gretap"],
  ...["wireguard", "ipip", "sit", "ip6tnl", "gre", "ip6gre", "xfrm"], // no Ethernet header
]);

/** An address on one of these does not make it a way out: bridges have a role of their own, the rest lead to pods or VMs. */
const INNER_KINDS: ReadonlySet<string> = new Set([...POD_KINDS, "bridge", "tun", "vrf"]);

/** All devices that get programs, by ifindex. */
export function classifyDevices(network: NetworkView, rules: DeviceRules): ReadonlyMap<number, Device> {
  const links = network.links.filter(carriesTraffic);
  const uplinks = uplinksOf(links, network, rules);
  const pods = podsOf(links, uplinks, rules);
  const bridges = bridgesOf(links, network.addresses, pods, rules);
  const sources = snatSources(network, rules.nodeAddresses);
  const allBridges = new Map(links.filter(({ kind }) => kind === "bridge").map(({ ifindex, name }) => [ifindex, name]));
  const interfaceOf = (link: LinkInfo): string => allBridges.get(link.master) ?? link.name;
  const devices = new Map<number, Device>();
  for (const link of links) {
    const bridge = bridges.get(link.master);
    const role: DeviceRole = {
      // A port that leads to no pod, on a bridge that is an uplink, is the way out of the node itself.
      uplink:
        uplinks.has(link.ifindex) || (uplinks.has(link.master) && bridge !== undefined && !pods.has(link.ifindex)),
      pod: pods.has(link.ifindex),
      bridge: bridges.has(link.ifindex),
      bridgePort: bridge !== undefined,
      l3: link.arpType !== ARPHRD_ETHER,
      overlay: isTunnel(link) && uplinks.has(link.ifindex),
      // What comes through a bridge's port comes in by the bridge, to netfilter with br_netfilter too.
      local: rules.isLocalInterface?.(interfaceOf(link)) ?? false,
    };
    if (!role.uplink && !role.pod && !role.bridge && !role.bridgePort && !role.local) continue;
    devices.set(link.ifindex, {
      ifindex: link.ifindex,
      name: link.name,
      role,
      bridgeIfindex: bridge?.ifindex ?? 0,
      ...sources(link.ifindex),
      mac: (bridge ?? link).mac,
    });
  }
  return devices;
}

function uplinksOf(links: readonly LinkInfo[], network: NetworkView, rules: DeviceRules): ReadonlySet<number> {
  const uplinks = new Set(rules.earlier?.uplinks);
  for (const { outputIfindex, otherIfindexes } of network.defaultRoutes) {
    for (const ifindex of [outputIfindex, ...otherIfindexes]) uplinks.add(ifindex);
  }
  for (const { ifindex, address } of network.addresses) {
    if (rules.nodeAddresses.includes(ipFromBytes(address))) uplinks.add(ifindex);
  }
  const addressed = addressedDevices(network.addresses);
  for (const link of links) {
    // Frontends are served wherever they can be asked: a second network card, too, has neighbours (row 27).
    if (addressed.has(link.ifindex) && !INNER_KINDS.has(link.kind)) uplinks.add(link.ifindex);
    if (isTunnel(link) || matchesAny(link.name, rules.uplinkPatterns)) uplinks.add(link.ifindex);
    if (matchesAny(link.name, rules.podPatterns)) uplinks.delete(link.ifindex);
  }
  return uplinks;
}

function podsOf(links: readonly LinkInfo[], uplinks: ReadonlySet<number>, rules: DeviceRules): ReadonlySet<number> {
  const leadsToPod = (link: LinkInfo): boolean =>
    matchesAny(link.name, rules.podPatterns) || (POD_KINDS.has(link.kind) && link.linkNetnsid !== undefined);
  return new Set(links.filter((link) => !uplinks.has(link.ifindex) && leadsToPod(link)).map((link) => link.ifindex));
}

/** Bridges that carry pods or are addressed on this node, or were; others only pass frames through. */
function bridgesOf(
  links: readonly LinkInfo[],
  addresses: readonly AddressInfo[],
  pods: ReadonlySet<number>,
  { earlier }: DeviceRules,
): ReadonlyMap<number, LinkInfo> {
  const inUse = new Set([...addressedDevices(addresses), ...(earlier?.bridges ?? [])]);
  for (const link of links) if (pods.has(link.ifindex)) inUse.add(link.master);
  const bridges = links.filter((link) => link.kind === "bridge" && inUse.has(link.ifindex));
  return new Map(bridges.map((bridge) => [bridge.ifindex, bridge]));
}

/** Those with a global address. */
function addressedDevices(addresses: readonly AddressInfo[]): Set<number> {
  return new Set(addresses.filter(({ scope }) => scope === 0).map(({ ifindex }) => ifindex));
}

/**
 * The fallback devices of tunnel modules (tunl0, sit0) are there without being used: those are down. Of TUN/TAP devices
 * those without an Ethernet header are some program's tunnel (userspace WireGuard, flannel's udp); a TAP is a machine's.
 */
function isTunnel(link: LinkInfo): boolean {
  return link.up && (TUNNEL_KINDS.has(link.kind) || (link.kind === "tun" && link.arpType !== ARPHRD_ETHER));
}

/** Shell patterns with `*` and `?`, over the whole name. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => globRegExp(pattern).test(name));
}

function globRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`);
}
