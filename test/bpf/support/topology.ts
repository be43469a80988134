// SPDX-License-Identifier: Apache-2.0
// The node that the packet tables run on: devices with fixed indexes, addresses and neighbours, as ip(8) lines. Nobody
// answers behind the devices: the programs only ask the FIB and the neighbour table.

/** ifindex by name. */
export const deviceIndex = {
  lo: 1,
  uplink: 11, // default route, 192.0.2.1 and 2001:db8:2::1
  overlay: 12, // 10.200.0.1 and fd00:200::1
  client: 21, // veth of pod 10.0.0.10, fd00::10
  server: 22, // veth of pod 10.0.0.20, fd00::20
  bridge: 31, // 10.0.1.1 and fd00:1::1
  portA: 32, // pod 10.0.1.10, fd00:1::10
  portB: 33, // pod 10.0.1.20, fd00:1::20; nobody has asked for the neighbour 10.0.1.30
  tunnel: 41, // stands for a device without Ethernet headers
  stranger: 51, // not one of ours
} as const;

export type DeviceName = keyof typeof deviceIndex;

/** MAC of each device: 02:00:00:00:00:INDEX, written as decimal digits. The neighbour's has 1 in place of the last 0s. */
export function macOf(device: DeviceName): string {
  return `02000000${String(deviceIndex[device]).padStart(4, "0")}`;
}

const colons = (mac: string): string => mac.replace(/..(?=.)/g, "$&:");
const neighbourMac = (host: number): string => `02:00:00:00:ff:${String(host).padStart(2, "0")}`;

function veth(device: DeviceName, addresses: readonly string[]): readonly string[] {
  const index = deviceIndex[device];
  const mac = colons(macOf(device));
  return [
    `link add name ${device} index ${index} address ${mac} type veth peer name ${device}-peer index ${index + 500}`,
    `link set ${device} up`,
    `link set ${device}-peer up`,
    ...addresses.map((address) => `address add ${address} dev ${device}${address.includes(":") ? " nodad" : ""}`),
  ];
}

function neighbours(device: DeviceName, host: number, addresses: readonly string[]): readonly string[] {
  return addresses.map((address) => `neigh add ${address} lladdr ${neighbourMac(host)} dev ${device} nud permanent`);
}

function pod(device: DeviceName, host: number): readonly string[] {
  const addresses = [`10.0.0.${host}`, `fd00::${host}`];
  const routes = addresses.map((address) => `route add ${address} dev ${device}`);
  return [...veth(device, []), ...routes, ...neighbours(device, host, addresses)];
}

function bridgePort(device: DeviceName, host: number): readonly string[] {
  const addresses = [`10.0.1.${host}`, `fd00:1::${host}`];
  return [...veth(device, []), `link set ${device} master bridge`, ...neighbours("bridge", host, addresses)];
}

export const ipLines: readonly string[] = [
  "link set lo up",
  ...veth("uplink", ["192.0.2.1/24", "2001:db8:2::1/64"]),
  ...neighbours("uplink", 20, ["192.0.2.20", "2001:db8:2::20"]),
  ...neighbours("uplink", 99, ["192.0.2.254", "2001:db8:2::fe"]),
  "route add default via 192.0.2.254",
  "route add default via 2001:db8:2::fe",
  "route add unreachable 198.51.100.66",
  "route add unreachable 2001:db8:66::66",
  ...veth("overlay", ["10.200.0.1/24", "fd00:200::1/64"]),
  ...neighbours("overlay", 20, ["10.200.0.20", "fd00:200::20"]),
  ...pod("client", 10),
  ...pod("server", 20),
  `link add name bridge index ${deviceIndex.bridge} address ${colons(macOf("bridge"))} type bridge`,
  "link set bridge up",
  "address add 10.0.1.1/24 dev bridge",
  "address add fd00:1::1/64 dev bridge nodad",
  ...bridgePort("portA", 10),
  ...bridgePort("portB", 20),
  ...veth("tunnel", []),
  "route add 10.210.0.0/24 dev tunnel",
  "route add fd00:210::/64 dev tunnel",
  ...veth("stranger", []),
];

export const sysctls: Readonly<Record<string, string>> = {
  "net/ipv4/ip_forward": "1",
  "net/ipv6/conf/all/forwarding": "1",
};
