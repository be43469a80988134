// SPDX-License-Identifier: Apache-2.0
// Which devices get programs, and as what.

import { expect, test } from "vitest";
import { classifyDevices, type Device, type DeviceRules, matchesAny } from "../../../src/datapath/devices/classify.ts";
import type { NetworkView } from "../../../src/datapath/network.ts";
import { address, defaultRoute, ip, link, network, veth } from "./builders.ts";

/** `name: role role` for every device that gets programs. */
function roles(view: NetworkView, rules: Partial<DeviceRules> = {}): readonly string[] {
  const all = { uplinkPatterns: [], podPatterns: [], nodeAddresses: [], ...rules };
  return [...classifyDevices(view, all).values()].map((device) => `${device.name}: ${roleNames(device)}`);
}

function roleNames({ role }: Device): string {
  return Object.entries(role)
    .filter(([, on]) => on)
    .map(([name]) => name)
    .join(" ");
}

test("the device of a default route is an uplink, loopback and dummy devices get nothing", () => {
  const links = [
    link(1, "lo", { arpType: 772 }),
    link(2, "eth0"),
    link(3, "eth1"),
    link(4, "kube-ipvs0", { kind: "dummy" }),
  ];
  const addresses = [address(4, [10, 96, 0, 1])];
  expect(roles(network({ links, addresses, defaultRoutes: [defaultRoute(2)] }))).toEqual(["eth0: uplink"]);
});

test("the device that holds the node's InternalIP is an uplink, even a veth into another namespace", () => {
  const links = [veth(2, "up0"), veth(3, "pod1")];
  const addresses = [address(2, [192, 0, 2, 10])];
  const rules = { nodeAddresses: [ip("192.0.2.10")] };
  expect(roles(network({ links, addresses }), rules)).toEqual(["up0: uplink", "pod1: pod"]);
});

test("row 27: a second network card with an address of its own is an uplink; pods, VMs and bridges are none by theirs", () => {
  const links = [
    link(2, "eth0"),
    link(3, "eth1"),
    link(4, "eth1.7", { kind: "vlan" }),
    link(5, "shim0", { kind: "macvlan" }),
    link(6, "eth2"),
    veth(7, "pod1"),
    veth(8, "veth0", { linkNetnsid: undefined }),
    link(9, "tap0", { kind: "tun" }),
    link(10, "vrf1", { kind: "vrf" }),
    link(11, "br0", { kind: "bridge" }),
  ];
  const addresses = [3, 4, 5, 7, 8, 9, 10, 11].map((ifindex) => address(ifindex, [10, 77, ifindex, 1]));
  addresses.push(address(6, [169, 254, 0, 1], { scope: 253 }));
  const view = network({ links, addresses, defaultRoutes: [defaultRoute(2)] });
  const rest = ["eth1.7: uplink", "shim0: uplink", "pod1: pod", "br0: bridge"];
  expect(roles(view)).toEqual(["eth0: uplink", "eth1: uplink", ...rest]);
  expect(roles(view, { podPatterns: ["eth1"] })).toEqual(["eth0: uplink", "eth1: pod", ...rest]);
});

test("row 14: what was an uplink or a bridge in use is one without its address or route, but for --pod-devices", () => {
  const links = [link(2, "eth0"), veth(3, "up0"), link(4, "br0", { kind: "bridge" }), link(5, "eth5", { master: 4 })];
  const earlier = { uplinks: new Set([2, 3, 4, 9]), bridges: new Set([4]) };
  expect(roles(network({ links }))).toEqual(["up0: pod"]);
  const kept = ["up0: uplink", "br0: uplink bridge", "eth5: uplink bridgePort"];
  expect(roles(network({ links }), { earlier })).toEqual(["eth0: uplink", ...kept]);
  expect(roles(network({ links }), { earlier, podPatterns: ["eth0"] })).toEqual(["eth0: pod", ...kept]);
  const dummy = [link(2, "eth0", { kind: "dummy" }), link(3, "lo", { arpType: 772 })];
  expect(roles(network({ links: dummy }), { earlier })).toEqual([]);
});

test("--devices adds uplinks by pattern and --pod-devices wins over everything", () => {
  const links = [veth(2, "client0"), veth(3, "client1"), link(4, "tap0", { kind: "tun" }), link(5, "tap1")];
  const rules = { uplinkPatterns: ["client*", "tap?"], podPatterns: ["tap0", "client1"] };
  expect(roles(network({ links }), rules)).toEqual(["client0: uplink", "client1: pod", "tap0: pod", "tap1: uplink"]);
});

test("a veth whose peer is in this namespace is no pod", () => {
  expect(roles(network({ links: [veth(2, "veth0", { linkNetnsid: undefined })] }))).toEqual([]);
});

test("a bridge with pods and its ports are devices, one port of it carries the bridge's MAC", () => {
  const links = [link(2, "br0", { kind: "bridge" }), veth(3, "pod1", { master: 2 }), link(4, "eth5", { master: 2 })];
  const devices = classifyDevices(network({ links }), { uplinkPatterns: [], podPatterns: [], nodeAddresses: [] });
  expect(roles(network({ links }))).toEqual(["br0: bridge", "pod1: pod bridgePort", "eth5: bridgePort"]);
  expect(devices.get(3)).toMatchObject({ bridgeIfindex: 2, mac: Uint8Array.of(2, 0, 0, 0, 0, 2) });
});

test("a bridge without pods is a device only when it is addressed on this node", () => {
  const links = [link(2, "br0", { kind: "bridge" }), link(3, "eth5", { master: 2 })];
  expect(roles(network({ links }))).toEqual([]);
  const linkLocal = address(2, [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], { scope: 253 });
  expect(roles(network({ links, addresses: [linkLocal] }))).toEqual([]);
  expect(roles(network({ links, addresses: [address(2, [10, 0, 0, 1])] }))).toEqual([
    "br0: bridge",
    "eth5: bridgePort",
  ]);
});

test("the physical port of a bridge that is an uplink leads out of the node", () => {
  const links = [link(2, "br0", { kind: "bridge" }), link(3, "eth0", { master: 2 }), veth(4, "pod1", { master: 2 })];
  const view = network({ links, addresses: [address(2, [192, 0, 2, 10])], defaultRoutes: [defaultRoute(2)] });
  expect(roles(view)).toEqual(["br0: uplink bridge", "eth0: uplink bridgePort", "pod1: pod bridgePort"]);
});

test("vxlan and tunnels are uplinks and overlays while they are up", () => {
  const links = [
    link(2, "flannel.1", { kind: "vxlan" }),
    link(3, "wg0", { kind: "wireguard", arpType: 65534 }),
    link(4, "tunl0", { kind: "ipip", arpType: 768, up: false }),
  ];
  expect(roles(network({ links }))).toEqual(["flannel.1: uplink overlay", "wg0: uplink l3 overlay"]);
});

test("a TUN device without Ethernet headers is a tunnel, a TAP is nothing, and --pod-devices wins over both", () => {
  const none = 65534;
  const links = [
    link(2, "tun0", { kind: "tun", arpType: none }),
    link(3, "tun1", { kind: "tun", arpType: none, up: false }),
    link(4, "tap0", { kind: "tun" }),
    link(5, "gre1", { kind: "gretap" }),
  ];
  expect(roles(network({ links }))).toEqual(["tun0: uplink l3 overlay", "gre1: uplink overlay"]);
  expect(roles(network({ links }), { podPatterns: ["tun0", "tap0"] })).toEqual([
    "tun0: pod l3",
    "tap0: pod",
    "gre1: uplink overlay",
  ]);
});

test("the ports of a bond are served by the bond", () => {
  const links = [link(2, "eth0", { master: 4 }), link(3, "eth1", { master: 4 }), link(4, "bond0", { kind: "bond" })];
  expect(roles(network({ links, defaultRoutes: [defaultRoute(4)] }))).toEqual(["bond0: uplink"]);
});

test("row 38: a bridge's ports count by the name of their bridge, as netfilter sees them come in", () => {
  const links = [
    link(2, "cni0", { kind: "bridge" }),
    veth(3, "cali1", { master: 2 }),
    veth(4, "cali2"),
    link(5, "eth0"),
    link(6, "bond0", { kind: "bond" }),
    veth(7, "cali3", { master: 6 }),
  ];
  const view = network({ links, defaultRoutes: [defaultRoute(5)] });
  expect(roles(view, { isLocalInterface: (name) => name === "cni0" })).toEqual([
    "cni0: bridge local",
    "cali1: pod bridgePort local",
    "cali2: pod",
    "eth0: uplink",
    "cali3: pod",
  ]);
  expect(roles(view, { isLocalInterface: (name) => name.startsWith("cali") })).toEqual([
    "cni0: bridge",
    "cali1: pod bridgePort",
    "cali2: pod local",
    "eth0: uplink",
    "cali3: pod local",
  ]);
});

test("row 38: a device that pods are behind by its name gets programs, whatever it looks like", () => {
  const links = [link(1, "lo", { arpType: 772 }), link(2, "tap0", { kind: "tun" }), link(3, "tun0", { kind: "tun" })];
  expect(roles(network({ links }), { isLocalInterface: (name) => name.startsWith("tap") })).toEqual(["tap0: local"]);
});

test("a pattern is a glob over the whole name", () => {
  expect(matchesAny("eth0", ["eth"])).toBe(false);
  expect(matchesAny("eth0", ["eth*"])).toBe(true);
  expect(matchesAny("eth0.100", ["eth?.100"])).toBe(true);
  expect(matchesAny("eth0x100", ["eth?.100"])).toBe(false);
});
