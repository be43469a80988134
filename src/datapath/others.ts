// SPDX-License-Identifier: Apache-2.0
// Others that serve Services on this node: the rules of a kube-proxy in this network namespace, BPF programs of Cilium's or
// Calico's.

import { readFileSync } from "node:fs";
import { openNetlink } from "../libbpf/index.ts";
import { findOtherProxies, type OtherProxy } from "./ebpf/other-proxies.ts";
import { cgroup2Mount } from "./mounts.ts";
import { findKubeProxy, type KubeProxyTraces } from "./netfilter/kube-proxy.ts";

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
