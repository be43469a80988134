// SPDX-License-Identifier: Apache-2.0
// Others that serve Services on this node: the rules of a kube-proxy in this network namespace, BPF programs of Cilium's or
// Calico's.

import { readFileSync } from "node:fs";
import { openNetlink } from "../libbpf/index.ts";
import { ipFromBytes } from "../model/ip.ts";
import { findOtherProxies, type OtherProxy } from "./ebpf/other-proxies.ts";
import { cgroup2Mount } from "./mounts.ts";
import { isIpvsOurs } from "./netfilter/ipvs-mode.ts";
import { IPVS_DEVICE } from "./netfilter/ipvs-names.ts";
import { findKubeProxy, type KubeProxyTraces } from "./netfilter/kube-proxy.ts";
import { findKubeProxyIpvs, type KubeProxyIpvs } from "./netfilter/kube-proxy-ipvs.ts";

export interface Others {
  readonly kubeProxy: KubeProxyTraces;
  readonly programs: readonly OtherProxy[];
}

/** Who serves Services here, or has left what does. cgroup: undefined, where cgroup2 is mounted. Rejects with BpfError. */
export async function findOthers(
  bpffs: string,
  cgroup: string | undefined = cgroup2Mount(readFileSync("/proc/self/mounts", "utf8")),
): Promise<Others> {
  const programs = cgroup === undefined ? [] : findOtherProxies(bpffs, cgroup);
  return { kubeProxy: await findKubeProxyHere(), programs };
}

export async function findKubeProxyHere(): Promise<KubeProxyTraces> {
  using netlink = openNetlink();
  return await findKubeProxy(netlink.links().map(({ name }) => name));
}

/** Whose ever. Throws BpfError. */
export function ipvsThere(): boolean {
  using netlink = openNetlink();
  return netlink.links().some(({ name }) => name === IPVS_DEVICE);
}

/** undefined: no kube-proxy is or was here in IPVS mode. Rejects with NetfilterError. */
export async function findKubeProxyIpvsHere(): Promise<KubeProxyIpvs | undefined> {
  using netlink = openNetlink();
  const device = netlink.links().find(({ name }) => name === IPVS_DEVICE);
  if (!device || (await isIpvsOurs())) return undefined;
  const addresses = netlink.addresses();
  const ipsOf = (some: typeof addresses) => new Set(some.map(({ address }) => ipFromBytes(address)));
  return await findKubeProxyIpvs({
    vips: ipsOf(addresses.filter(({ ifindex }) => ifindex === device.ifindex)),
    others: ipsOf(addresses.filter(({ ifindex }) => ifindex !== device.ifindex)),
  });
}
