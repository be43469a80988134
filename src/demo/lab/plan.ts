// SPDX-License-Identifier: Apache-2.0
// The addressing plan of the lab: which node, pod and client gets which names and addresses. Pure.
//
// Uplink 192.168.50.0/24, fd00:50::/64: node N has .N, the client .10. Pods of node N are in 10.9.N.0/24 and
// fd00:9:N::/64: routed ones one by one (/32, /128), bridged ones in 10.9.N.128/25 and fd00:9:N:0:b::/80 behind cni0.

/** One address of each family. */
export interface DualAddress {
  readonly v4: string;
  readonly v6: string;
}

export interface NodeOptions {
  readonly name: string;
  /** Pods with a veth of their own and host routes (Calico's way). */
  readonly routedPods?: readonly string[];
  /** Pods on the node's bridge cni0 (the bridge plugin's way). */
  readonly bridgedPods?: readonly string[];
}

/**
 * "realistic": FORWARD policy DROP, INVALID dropped, pods accepted, and masqueraded towards the outside. "closed": the same, but
 * FORWARD accepts nothing at all but neighbour discovery.
 */
export type Firewall = "none" | "realistic" | "closed";

export interface LabOptions {
  /** At most 9; default: n1 with p1a, p1b, bridged b1a, b1b; n2 with p2a. */
  readonly nodes?: readonly NodeOptions[];
  readonly firewall?: Firewall;
  /** Whether bridged packets of the nodes pass netfilter. */
  readonly brNetfilter?: 0 | 1;
  /** Prefixes that the client reaches through a node, besides pod ranges; default: DEFAULT_CLIENT_ROUTES via n1. */
  readonly clientRoutes?: readonly ClientRoute[];
}

export interface ClientRoute {
  readonly to: string;
  readonly viaNode: string;
}

/** One network namespace with processes in it. */
export interface Host {
  readonly name: string;
  /** Name below /var/run/netns. */
  readonly netns: string;
  /** Where its processes live; below the cgroup root of its node. */
  readonly cgroup: string;
  readonly address: DualAddress;
}

export interface PodHost extends Host {
  readonly nodeName: string;
  readonly attachment: "routed" | "bridged";
  /** Name of the veth's host end in the node's namespace. */
  readonly hostDevice: string;
}

export interface NodeHost extends Host {
  readonly index: number;
  /** For --cgroup-root: holds the cgroups of the node's own processes and of its pods. */
  readonly cgroupRoot: string;
  /** A bpf filesystem of this node's own. */
  readonly bpffs: string;
  readonly stateDir: string;
  readonly podRange: DualAddress;
  readonly bridgeAddress: DualAddress;
  readonly pods: readonly PodHost[];
}

export interface Plan {
  /** Unique on this machine: pt-xxxxxxxx */
  readonly id: string;
  readonly directory: string;
  readonly cgroup: string;
  readonly switchNetns: string;
  readonly nodes: readonly NodeHost[];
  readonly client: Host;
}

export const DEFAULT_NODES: readonly NodeOptions[] = [
  { name: "n1", routedPods: ["p1a", "p1b"], bridgedPods: ["b1a", "b1b"] },
  { name: "n2", routedPods: ["p2a"] },
];

/** Ranges from which examples and tests take Service addresses. */
export const SERVICE_PREFIXES: readonly string[] = [
  "10.96.0.0/16",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "fd00:10:96::/64",
  "2001:db8:51::/64",
  "2001:db8:113::/64",
];

export const CLIENT_ADDRESS: DualAddress = { v4: "192.168.50.10", v6: "fd00:50::10" };

/** Where everything of a lab goes. cgroupMount: the cgroup2 filesystem; tmp: a directory for files. */
export function plan(id: string, cgroupMount: string, tmp: string, nodes: readonly NodeOptions[]): Plan {
  if (nodes.length > 9) throw new Error(`the lab has room for 9 nodes, ${nodes.length} were asked for`);
  const directory = `${tmp}/${id}`;
  const cgroup = `${cgroupMount}/${id}`;
  return {
    id,
    directory,
    cgroup,
    switchNetns: `${id}-switch`,
    nodes: nodes.map((node, position) => planNode(id, directory, cgroup, node, position + 1)),
    client: { name: "client", netns: `${id}-client`, cgroup: `${cgroup}/client`, address: CLIENT_ADDRESS },
  };
}

function planNode(id: string, directory: string, cgroup: string, node: NodeOptions, index: number): NodeHost {
  const cgroupRoot = `${cgroup}/${node.name}`;
  const pod = (name: string, attachment: PodHost["attachment"], address: DualAddress): PodHost => ({
    name,
    netns: `${id}-${name}`,
    cgroup: `${cgroupRoot}/pod-${name}`,
    address,
    nodeName: node.name,
    attachment,
    hostDevice: `v_${name}`,
  });
  return {
    name: node.name,
    netns: `${id}-${node.name}`,
    cgroup: `${cgroupRoot}/host`,
    address: { v4: `192.168.50.${index}`, v6: `fd00:50::${index}` },
    index,
    cgroupRoot,
    bpffs: `${directory}/${node.name}/bpf`,
    stateDir: `${directory}/${node.name}/state`,
    podRange: { v4: `10.9.${index}.0/24`, v6: `fd00:9:${index}::/64` },
    bridgeAddress: { v4: `10.9.${index}.129/25`, v6: `fd00:9:${index}:0:b::1/80` },
    pods: [
      ...(node.routedPods ?? []).map((name, n) =>
        pod(name, "routed", { v4: `10.9.${index}.${10 + n}`, v6: `fd00:9:${index}::${10 + n}` }),
      ),
      ...(node.bridgedPods ?? []).map((name, n) =>
        pod(name, "bridged", { v4: `10.9.${index}.${130 + n}`, v6: `fd00:9:${index}:0:b::${130 + n}` }),
      ),
    ],
  };
}
