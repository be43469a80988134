// SPDX-License-Identifier: Apache-2.0
// Builds the network of a plan: a switch, nodes on it that route their pods, an outside client. IPv6 without
// duplicate address detection, so that every address works at once.

import { LabError } from "./errors.ts";
import type { ClientRoute, Host, NodeHost, Plan, PodHost } from "./plan.ts";
import { inNetns, ip, run, sysctl } from "./run.ts";

export function allNetns(plan: Plan): readonly string[] {
  const pods = plan.nodes.flatMap((node) => node.pods);
  return [
    plan.switchNetns,
    plan.client.netns,
    ...plan.nodes.map((node) => node.netns),
    ...pods.map((pod) => pod.netns),
  ];
}

/** On failure what was built stays; the caller tears down by the plan. */
export async function buildTopology(plan: Plan, brNetfilter: 0 | 1, routes: readonly ClientRoute[]): Promise<void> {
  await Promise.all(allNetns(plan).map(addNetns));
  await ip(plan.switchNetns, ["link add br0 type bridge", "link set br0 up"]);
  await bridgeNetfilter(plan.switchNetns, 0);
  await plugIn(plan, plan.client);
  for (const node of plan.nodes) {
    await plugIn(plan, node);
    await bridgeNetfilter(node.netns, brNetfilter);
    await routeAsNode(plan, node);
    if (node.pods.some((pod) => pod.attachment === "bridged")) await addPodBridge(node);
    for (const pod of node.pods)
      await (pod.attachment === "routed" ? addRoutedPod(node, pod) : addBridgedPod(node, pod));
  }
  const podRoutes = plan.nodes.flatMap((node) => [
    { to: node.podRange.v4, viaNode: node.name },
    { to: node.podRange.v6, viaNode: node.name },
  ]);
  await ip(
    plan.client.netns,
    [...podRoutes, ...routes].map((route) => clientRouteLine(plan, route)),
  );
}

/** The ip(8) line that sends the client's traffic for a prefix to a node. */
export function clientRouteLine(plan: Plan, route: ClientRoute): string {
  const node = plan.nodes.find(({ name }) => name === route.viaNode);
  if (node === undefined) throw new Error(`client route ${route.to}: the lab has no node ${route.viaNode}`);
  return `route replace ${route.to} via ${route.to.includes(":") ? node.address.v6 : node.address.v4}`;
}

async function addNetns(netns: string): Promise<void> {
  await run(["ip", "netns", "add", netns]);
  await sysctl(netns, ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]);
  await ip(netns, ["link set lo up"]);
}

/** Kernels without br_netfilter have no such sysctl: nothing to switch off; asking for it then is an error. */
async function bridgeNetfilter(netns: string, value: 0 | 1): Promise<void> {
  const keys = ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"];
  try {
    await sysctl(
      netns,
      keys.map((key) => `${key}=${value}`),
    );
  } catch (cause) {
    if (value === 1) throw new LabError("br_netfilter is not in this kernel (modprobe br_netfilter)", { cause });
  }
}

async function plugIn(plan: Plan, host: Host): Promise<void> {
  await ip(plan.switchNetns, [
    `link add ${host.name} type veth peer name eth0 netns ${host.netns}`,
    `link set ${host.name} master br0 up`,
  ]);
  await ip(host.netns, [
    `addr add ${host.address.v4}/24 dev eth0`,
    `addr add ${host.address.v6}/64 dev eth0 nodad`,
    "link set eth0 up",
  ]);
}

async function routeAsNode(plan: Plan, node: NodeHost): Promise<void> {
  await sysctl(node.netns, [
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.conf.all.rp_filter=1",
    "net.ipv4.conf.default.rp_filter=1",
    "net.ipv4.conf.eth0.rp_filter=1",
  ]);
  const others = plan.nodes.filter((other) => other !== node);
  await ip(node.netns, [
    ...others.map((other) => `route add ${other.podRange.v4} via ${other.address.v4}`),
    ...others.map((other) => `route add ${other.podRange.v6} via ${other.address.v6}`),
    `route add default via ${plan.client.address.v4}`,
    `route add default via ${plan.client.address.v6}`,
  ]);
}

async function addRoutedPod(node: NodeHost, pod: PodHost): Promise<void> {
  const device = pod.hostDevice;
  await ip(node.netns, [`link add ${device} type veth peer name eth0 netns ${pod.netns}`]);
  await sysctl(node.netns, [
    `net.ipv4.conf.${device}.proxy_arp=1`,
    `net.ipv4.neigh.${device}.proxy_delay=0`, // else answers to broadcast requests wait up to 0.8 s
    `net.ipv4.conf.${device}.rp_filter=1`,
  ]);
  await ip(node.netns, [
    `link set ${device} up`,
    `addr add fe80::1/64 dev ${device} nodad`,
    `route add ${pod.address.v4}/32 dev ${device}`,
    `route add ${pod.address.v6}/128 dev ${device}`,
  ]);
  await ip(pod.netns, [
    `addr add ${pod.address.v4}/32 dev eth0`,
    `addr add ${pod.address.v6}/128 dev eth0 nodad`,
    "link set eth0 up",
    "route add 169.254.1.1 dev eth0 scope link",
    "route add default via 169.254.1.1",
    "route add default via fe80::1 dev eth0",
  ]);
}

async function addPodBridge(node: NodeHost): Promise<void> {
  await ip(node.netns, [
    "link add cni0 type bridge",
    `addr add ${node.bridgeAddress.v4} dev cni0`,
    `addr add ${node.bridgeAddress.v6} dev cni0 nodad`,
    "link set cni0 up",
  ]);
  await sysctl(node.netns, ["net.ipv4.conf.cni0.rp_filter=1"]);
}

async function addBridgedPod(node: NodeHost, pod: PodHost): Promise<void> {
  await ip(node.netns, [
    `link add ${pod.hostDevice} type veth peer name eth0 netns ${pod.netns}`,
    `link set ${pod.hostDevice} master cni0 up`,
  ]);
  await ip(pod.netns, [
    `addr add ${pod.address.v4}/25 dev eth0`,
    `addr add ${pod.address.v6}/80 dev eth0 nodad`,
    "link set eth0 up",
    `route add default via ${node.bridgeAddress.v4.replace(/\/.*/, "")}`,
    `route add default via ${node.bridgeAddress.v6.replace(/\/.*/, "")}`,
  ]);
}

/** What CNIs and Docker leave on a node; closed, what Docker alone leaves there. */
export async function setFirewall(node: NodeHost, firewall: "realistic" | "closed"): Promise<void> {
  const pods = { iptables: "10.9.0.0/16", ip6tables: "fd00:9::/32" };
  for (const [command, range] of Object.entries(pods)) {
    const accepts = [
      "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      `-A FORWARD -s ${range} -j ACCEPT`,
      `-A FORWARD -d ${range} -j ACCEPT`,
    ];
    // Without it two pods on one bridge would not find each other, Service or not; ARP never comes here.
    const discovery = ["neighbour-solicitation", "neighbour-advertisement"];
    const neighbours =
      command === "ip6tables" ? discovery.map((type) => `-A FORWARD -p icmpv6 --icmpv6-type ${type} -j ACCEPT`) : [];
    const rules = [
      "*filter",
      ":FORWARD DROP [0:0]",
      "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
      ...(firewall === "realistic" ? accepts : [...neighbours, "-A FORWARD -j DROP"]),
      "COMMIT",
      "*nat",
      `-A POSTROUTING -s ${range} ! -d ${range} -m comment --comment cni -j MASQUERADE --random-fully`,
      "COMMIT",
      "",
    ];
    await run(inNetns(node.netns, [`${command}-restore`]), rules.join("\n"));
  }
  // In a table of its own, as firewalld keeps its rules: no accept of iptables overrules it.
  const guard = [
    "table inet guard {",
    "  chain forward { type filter hook forward priority filter + 10; policy accept; ct state invalid drop; }",
    "}",
  ];
  await run(inNetns(node.netns, ["nft", "-f", "-"]), guard.join("\n"));
  await sysctl(node.netns, ["net.netfilter.nf_conntrack_tcp_be_liberal=0"]);
}
