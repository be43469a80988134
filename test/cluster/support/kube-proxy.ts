// SPDX-License-Identifier: Apache-2.0
// The real kube-proxy on a node of the lab: what Portolan is measured beside, and what it takes over from.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { binary } from "./components.ts";

/** The lab's pods, by which kube-proxy tells them from other clients. */
const CLUSTER_CIDR = "10.9.0.0/16,fd00:9::/32";

export type KubeProxyMode = "iptables" | "nftables" | "ipvs";

/**
 * Does not wait. The node's Node object must be there: kube-proxy takes the node's addresses from it. settings: fields of its
 * configuration, in place of ours.
 */
export function startKubeProxy(
  lab: Lab,
  node: NodeHost,
  kubeconfig: string,
  mode: KubeProxyMode = "nftables",
  settings: object = {},
): LabProcess {
  const file = join(node.stateDir, "kube-proxy.json");
  writeFileSync(file, JSON.stringify({ ...configuration(node, kubeconfig, mode), ...settings }));
  return lab.spawn(node, [binary("kube-proxy"), "--config", file, "-v", "2"]);
}

function configuration(node: NodeHost, kubeconfig: string, mode: KubeProxyMode): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig },
    hostnameOverride: node.name,
    mode,
    detectLocalMode: "ClusterCIDR",
    clusterCIDR: CLUSTER_CIDR,
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    // What a namespace cannot set, or what would be the whole machine's, stays as it is.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}
