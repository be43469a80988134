// SPDX-License-Identifier: Apache-2.0
// The proxies that serve the same node one after the other: the real kube-proxy in two modes, Portolan in three.
import type { Lab } from "../../../../src/demo/lab/lab.ts";
import type { LabProcess } from "../../../../src/demo/lab/process.ts";
import { portolan } from "../../../../src/demo/portolan.ts";
import type { Cluster } from "../../../support/cluster.ts";
import type { ControlPlane } from "../control-plane.ts";
import { startKubeProxy } from "../kube-proxy.ts";
import { ASKERS, type Asker } from "./cells.ts";

/** A part of the table that one proxy is asked. */
export interface Pass {
  readonly name: "kube-proxy nftables" | "kube-proxy iptables" | OurPass;
  readonly askers: readonly Asker[];
  /** Sockets of pods and of the node are balanced, if the proxy does that. */
  readonly socketBalancing: boolean;
}

export type OurPass = "nftables" | "iptables" | "ebpf, packets" | "ebpf, sockets";

export interface ServiceProxy {
  readonly name: string;
  readonly passes: readonly Pass[];
  readonly start: (cluster: Cluster, plane: ControlPlane) => Promise<LabProcess>;
  /** Leaves the node as if it had never been there. */
  readonly stop: (lab: Lab, running: LabProcess) => Promise<void>;
}

/** Row 28: else kube-proxy's nftables mode serves NodePorts at the addresses of its Node alone, all others at all. */
const ALL_ADDRESSES = ["0.0.0.0/0", "::/0"];

/** How they tell local pods, and whom they masquerade (rows 35 to 38). */
export interface Setting {
  /** Fields of kube-proxy's configuration. */
  readonly kubeProxy: object;
  readonly flags: readonly string[];
  readonly masqueradeAll?: true;
}

/** Under which all is asked. */
export const CLUSTER_CIDR: Setting = {
  kubeProxy: {},
  flags: ["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.9.0.0/16,fd00:9::/32"],
};

const MASQUERADING = { masqueradeAll: true };

/** Under one of these a part of the table is asked again. */
export const OTHER_SETTINGS: Readonly<Record<string, Setting>> = {
  "ClusterCIDR of IPv4 alone": {
    kubeProxy: { clusterCIDR: "10.9.0.0/16" },
    flags: ["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.9.0.0/16"],
  },
  NodeCIDR: { kubeProxy: { detectLocalMode: "NodeCIDR" }, flags: ["--detect-local-mode", "NodeCIDR"] },
  "BridgeInterface cni0": {
    kubeProxy: { detectLocalMode: "BridgeInterface", detectLocal: { bridgeInterface: "cni0" } },
    flags: ["--detect-local-mode", "BridgeInterface", "--pod-bridge-interface", "cni0"],
  },
  "InterfaceNamePrefix v_": {
    kubeProxy: { detectLocalMode: "InterfaceNamePrefix", detectLocal: { interfaceNamePrefix: "v_" } },
    flags: ["--detect-local-mode", "InterfaceNamePrefix", "--pod-interface-name-prefix", "v_"],
  },
  "masquerade-all": {
    kubeProxy: { nftables: MASQUERADING, iptables: MASQUERADING },
    flags: [...CLUSTER_CIDR.flags, "--masquerade-all"],
    masqueradeAll: true,
  },
};

const everyone = (name: Pass["name"]): readonly Pass[] => [{ name, askers: ASKERS, socketBalancing: true }];

function kubeProxy(mode: "nftables" | "iptables", { kubeProxy: more }: Setting): ServiceProxy {
  return {
    name: `kube-proxy ${mode}`,
    passes: everyone(`kube-proxy ${mode}`),
    start: async ({ lab }, plane) => {
      const kubeconfig = plane.kubeconfig("system:kube-proxy");
      return startKubeProxy(lab, lab.node("n1"), kubeconfig, mode, { nodePortAddresses: ALL_ADDRESSES, ...more });
    },
    stop: async (lab, running) => {
      await running.stop();
      await forget(lab);
    },
  };
}

function ours(mode: string, { flags }: Setting, passes: readonly Pass[]): ServiceProxy {
  return {
    name: mode,
    passes,
    start: (cluster) => cluster.startAgent("n1", ["--mode", mode, ...flags]),
    stop: async (lab, running) => {
      await running.stop();
      await portolan(lab.node("n1"), ["cleanup"]);
      await forget(lab);
    },
  };
}

/** Rules, and which ways connections took. */
async function forget(lab: Lab): Promise<void> {
  const node = lab.node("n1");
  await lab.exec(node, ["nft", "flush", "ruleset"]);
  await lab.exec(node, ["conntrack", "-F"]);
}

export function proxiesOf(setting: Setting): readonly ServiceProxy[] {
  return [
    kubeProxy("nftables", setting),
    kubeProxy("iptables", setting),
    ours("nftables", setting, everyone("nftables")),
    ours("iptables", setting, everyone("iptables")),
    ours("ebpf", setting, [
      { name: "ebpf, sockets", askers: ["p1a", "p1b", "b1a", "n1"], socketBalancing: true },
      { name: "ebpf, packets", askers: ASKERS.filter((name) => name !== "n1"), socketBalancing: false },
    ]),
  ];
}
