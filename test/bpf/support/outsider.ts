// SPDX-License-Identifier: Apache-2.0
// A client outside that begins connections to a NodePort, which is masqueraded to its one endpoint, in either family.

import { bytes } from "./hex.ts";
import { services4, services6 } from "./services.ts";
import type { Service } from "./world.ts";

export interface Outsider {
  readonly family: "IPv4" | "IPv6";
  readonly services: readonly Service[];
  /** Of the source port in packets of the family without options, bytes from the Ethernet header on. */
  readonly portOffset: number;
  /** Its SYN from a port, as the uplink gets it; the TCP checksum is that of 50000. */
  syn(port: number): Uint8Array;
}

export const outsider4: Outsider = {
  family: "IPv4",
  services: services4,
  portOffset: 34,
  syn: (port) =>
    fromPort(
      `020000000011 02000000ff99 0800
       45000028 00014000 4006fd39 cb007105 c0000201
       c350 7580 00001001 00000000 5002ffff 299b 0000`,
      34,
      port,
    ),
};

export const outsider6: Outsider = {
  family: "IPv6",
  services: services6,
  portOffset: 54,
  syn: (port) =>
    fromPort(
      `020000000011 02000000ff99 86dd
       6000000000140640 20010db8009900000000000000000005 20010db8000200000000000000000001
       c350 7580 00001001 00000000 5002ffff 0000 0000`,
      54,
      port,
    ),
};

/** A packet, hex, from another source port; its checksum is not looked at. offset: portOffset of its family. */
export function fromPort(packet: string, offset: number, port: number): Uint8Array {
  const data = bytes(packet);
  new DataView(data.buffer).setUint16(offset, port);
  return data;
}
