// SPDX-License-Identifier: Apache-2.0
// How pods' packets get from node to node in a lab of two, besides its own host routes: by VXLAN devices, as flannel makes
// them, one for each family; or by a TUN device without Ethernet headers, as userspace WireGuard has.
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress, NodeHost } from "../../src/demo/lab/plan.ts";
import { compileProgram } from "./compile.ts";

export type Overlay = "vxlan" | "tun";
export type Carrier = Overlay | "host routes";

const FAMILIES = ["v4", "v6"] as const;
const VXLAN_DEVICE: DualAddress = { v4: "flannel.1", v6: "flannel-v6.1" };
const TUN_DEVICE = "wg0";
const TUN_MTU = 1420;
const TUN_PORT = "51820";

/** What a packet from node to node may measure, of 1500 elsewhere; VXLAN takes 50 bytes over IPv4, 70 over IPv6. */
export const OVERLAY_MTU: Readonly<Record<Overlay, { readonly v4: number; readonly v6: number }>> = {
  vxlan: { v4: 1450, v6: 1430 },
  tun: { v4: TUN_MTU, v6: TUN_MTU },
};

/** The address of the device that leads to the other node: what backends there see of masqueraded clients. */
export function carrierAddress(node: NodeHost, carrier: Carrier): DualAddress {
  return carrier === "host routes" ? node.address : { v4: `10.9.${node.index}.0`, v6: `fd00:9:${node.index}::` };
}

/** Moves what goes between pods of different nodes from host routes to the carrier. */
export async function carryBy(lab: Lab, carrier: Carrier): Promise<void> {
  const [first, second] = lab.nodes;
  if (first === undefined || second === undefined || lab.nodes.length > 2) throw new Error("a carrier is between two");
  const program = carrier === "tun" ? compileProgram("tunnel", lab.plan.directory) : "";
  for (const [own, other] of [
    [first, second],
    [second, first],
  ] as const) {
    if (carrier === "vxlan") for (const family of FAMILIES) await addVxlan(lab, own, other, family);
    if (carrier === "tun") await addTun(lab, own, other, program);
  }
}

async function addVxlan(lab: Lab, own: NodeHost, other: NodeHost, family: keyof DualAddress): Promise<void> {
  const device = VXLAN_DEVICE[family];
  const mac = (node: NodeHost) => `02:09:00:00:0${family === "v4" ? 4 : 6}:0${node.index}`;
  const peer = carrierAddress(other, "vxlan")[family];
  await lab.ip(
    own,
    `route del ${other.podRange[family]}`, // its gateway by eth0 would be none on the new device
    `link add ${device} address ${mac(own)} type vxlan id 1 local ${own.address[family]} dev eth0 dstport 8472 nolearning`,
    `addr add ${hostRoute(carrierAddress(own, "vxlan")[family])} dev ${device}`,
    `link set ${device} up`,
    `neigh replace ${peer} lladdr ${mac(other)} dev ${device} nud permanent`,
    `route replace ${other.podRange[family]} via ${peer} dev ${device} onlink`,
  );
  await lab.exec(own, ["bridge", "fdb", "append", mac(other), "dev", device, "dst", other.address[family]]);
}

async function addTun(lab: Lab, own: NodeHost, other: NodeHost, program: string): Promise<void> {
  const tunnel = lab.spawn(own, [program, TUN_DEVICE, own.address.v4, other.address.v4, TUN_PORT]);
  await tunnel.waitForOutput(/^ready$/m);
  await lab.ip(own, `link set ${TUN_DEVICE} mtu ${TUN_MTU} up`);
  for (const family of FAMILIES) {
    await lab.ip(
      own,
      `addr add ${hostRoute(carrierAddress(own, "tun")[family])} dev ${TUN_DEVICE}`,
      `route replace ${other.podRange[family]} dev ${TUN_DEVICE}`,
    );
  }
}

/** A range of this address alone. */
function hostRoute(address: string): string {
  return address.includes(":") ? `${address}/128` : `${address}/32`;
}
