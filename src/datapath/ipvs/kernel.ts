// SPDX-License-Identifier: Apache-2.0
// Reads what of IPVS mode is in this network namespace.

import { openNetlink } from "../../libbpf/index.ts";
import { type Ip, ipFromBytes } from "../../model/ip.ts";
import { savedSets } from "../netfilter/ipset.ts";
import { IPVS_DEVICE } from "../netfilter/ipvs-names.ts";
import { theirServers } from "../netfilter/kube-proxy-ipvs.ts";
import { at, parsePlace, readIpVs, serverName } from "../netfilter/virtual-servers.ts";
import type { KernelServer, KernelState } from "./mirror.ts";
import { namesOf } from "./sets.ts";
import { savedMember } from "./share.ts";

export interface Found extends KernelState {
  readonly device: boolean;
  /** Names of our sets that are there. */
  readonly sets: ReadonlySet<string>;
}

/** Rejects with NetfilterError or BpfError. */
export async function readKernel(): Promise<Found> {
  const addresses = readAddresses();
  const saved = await savedSets();
  const ours = new Set([...namesOf(4), ...namesOf(6)]);
  const sets = saved.flatMap((line) => /^create (\S+) /.exec(line)?.[1] ?? []).filter((name) => ours.has(name));
  const members = saved
    .flatMap((line) => savedMember(line) ?? [])
    .filter((line) => ours.has(line.split(" ", 1)[0] ?? ""));
  return {
    device: addresses.device,
    sets: new Set(sets),
    servers: theirServers([...(await readServers()).values()], saved, addresses),
    vips: addresses.vips,
    members: new Set(members),
  };
}

/** By serverName(). */
export async function readServers(): Promise<ReadonlyMap<string, KernelServer>> {
  return new Map(parseServers(await readIpVs()).map((server) => [serverName(server), server]));
}

/** Throws BpfError. */
export function readAddresses(): {
  readonly device: boolean;
  readonly vips: ReadonlySet<Ip>;
  readonly others: ReadonlySet<Ip>;
} {
  using netlink = openNetlink();
  const device = netlink.links().find(({ name }) => name === IPVS_DEVICE);
  const vips = new Set<Ip>();
  const others = new Set<Ip>();
  for (const { ifindex, address } of netlink.addresses()) {
    const ip = ipFromBytes(address);
    if (!ip.startsWith("fe80:")) (ifindex === device?.ifindex ? vips : others).add(ip);
  }
  return { device: device !== undefined, vips, others };
}

/** procNetIpVs: as parseVirtualServers() has it, with the real servers of each below it. */
export function parseServers(procNetIpVs: string): readonly KernelServer[] {
  const servers: (KernelServer & { reals: Map<string, number>; connections: Map<string, number> })[] = [];
  const server = /^(TCP|UDP|SCTP)\s+(\S+):([0-9A-F]{4}) (\S+)(?:.* persistent (\d+) )?/;
  const real = /^\s+-> (\S+):([0-9A-F]{4})\s+\S+\s+(\d+)\s+(\d+)\s+(\d+)/;
  for (const line of procNetIpVs.split("\n")) {
    const [, protocol, address = "", port = "", scheduler = "", persistent = "0"] = server.exec(line) ?? [];
    if (protocol !== undefined) {
      const more = { scheduler, persistentSeconds: Number(persistent), reals: new Map(), connections: new Map() };
      servers.push({ ...parsePlace(protocol, address, port), ...more });
      continue;
    }
    const [, to, toPort = "", weight, active, inactive] = real.exec(line) ?? [];
    const last = servers.at(-1);
    if (to === undefined || !last || /^FWM/.test(line)) continue;
    const place = parsePlace(last.protocol, to, toPort);
    const name = at(place.address, place.port);
    last.reals.set(name, Number(weight));
    last.connections.set(name, Number(active) + Number(inactive));
  }
  return servers;
}
