// SPDX-License-Identifier: Apache-2.0
// One rule as `iptables -S` prints it, without `-A CHAIN`: so what is wanted can be compared with what is there. Pure.

import { type Cidr, type Family, familyOf, type Ip } from "../../model/ip.ts";

/** Parts in the order in which they are printed; what is absent matches everything. */
export interface Rule {
  /** `-s 10.9.0.0/16`, with a `! ` before it for the opposite; likewise the next two. */
  readonly source?: string;
  readonly destination?: string;
  readonly device?: string;
  /** tcp, udp, sctp */
  readonly protocol?: string;
  /** Of any characters but quotes. */
  readonly comment?: string;
  /** `-m conntrack --ctstate NEW` */
  readonly matches?: readonly string[];
  /** Of the protocol. */
  readonly port?: number;
  /** `-j ACCEPT`; absent: the rule counts, no more. */
  readonly target?: string;
}

export function printed({ source, destination, device, protocol, comment, matches = [], port, target }: Rule): string {
  const parts = [
    source,
    destination,
    device,
    protocol && `-p ${protocol}`,
    comment && `-m comment --comment "${comment}"`,
    ...matches,
    port === undefined ? undefined : `-m ${protocol} --dport ${port}`,
    target,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join(" ");
}

/** `10.96.0.10/32` */
export function alone(address: Ip): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`;
}

/** `-s 10.9.0.0/16`; a range of everything is no condition. */
export function fromRange({ address, prefixLength }: Cidr): string {
  return prefixLength === 0 ? "" : `-s ${address}/${prefixLength}`;
}

export function reject(family: Family): string {
  return `-j REJECT --reject-with ${family === 4 ? "icmp" : "icmp6"}-port-unreachable`;
}

/** `-j MARK` that sets the bit. */
export function setMark(bit: number): string {
  return `-j MARK --set-xmark ${hex(bit)}/${hex(bit)}`;
}

/** `0x4000` */
export function hex(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`;
}

/** The node's own processes send from its addresses. */
export const FROM_NODE = "-m addrtype --src-type LOCAL";
export const TO_NODE = "-m addrtype --dst-type LOCAL";
