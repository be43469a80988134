// SPDX-License-Identifier: Apache-2.0
// Over IPv4, packets that are not ours: they pass untouched, uncounted, and leave no record. Malformed ones to a
// Service's address go nowhere: the stack would forward what is wrong behind the IP header.

import { cutShort, passes, table } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";

table("packets left alone over IPv4", services4, [
  passes(
    "a middle fragment to a pod whose first has not been seen",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 000120b9 400645ac 0a00000a 0a000014
        c350005000001001000000005002ffffc7d60000`,
    "malformed",
  ),
  passes(
    "the last fragment to a pod whose first has not been seen",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 000100b9 400665ac 0a00000a 0a000014
        c350005000001001000000005002ffffc7d60000`,
    "malformed",
  ),
  passes(
    "ARP",
    "ingress client",
    `
        ffffffffffff 02000000ff10 0806
        0001 0800 06 04 0001
        02000000ff10 0a00000a 000000000000 0a600001`,
    "malformed",
  ),
  passes(
    "a VLAN tag in the frame",
    "ingress client",
    `
        020000000021 02000000ff10 8100
        0064 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350 0050 00001001 00000000 5002ffff c7d6 0000`,
    "malformed",
  ),
  passes(
    "two VLAN tags in the frame",
    "ingress client",
    `
        020000000021 02000000ff10 88a8
        0065 8100 0064 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350 0050 00001001 00000000 5002ffff c7d6 0000`,
    "malformed",
  ),
  passes(
    "an 802.3 frame with a length instead of a type",
    "ingress client",
    `
        020000000021 02000000ff10 0026
        45000028 00014000 40062665 0a00000a 0a600001
        c350 0050 00001001 00000000 5002ffff c7d6 0000`,
    "malformed",
  ),
  passes(
    "version 6 under the EtherType of IPv4",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        65000028 00014000 40060665 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
    "malformed",
  ),
  passes(
    "a NodePort on an address that is not the node's",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 400626b2 0a00000a 0a000014
        c350 7580 00001001 00000000 5002ffff 52f3 0000`,
  ),
  passes(
    "a NodePort on the loopback address, from the wire",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 4006b1c4 0a00000a 7f000001
        c350 7580 00001001 00000000 5002ffff de05 0000`,
  ),
  passes(
    "a NodePort on the unspecified address, from the wire",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 400630c6 0a00000a 00000000
        c350 7580 00001001 00000000 5002ffff 5d07 0000`,
  ),
  passes(
    "a device that is not ours, on the way in",
    "ingress stranger",
    `
        020000000051 02000000ff88 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350 0050 00001001 00000000 5002ffff c7d6 0000`,
  ),
  passes(
    "a device that is not ours, on the way out",
    "egress stranger",
    `
        02000000ff88 020000000051 0800
        45000028 00014000 400626b2 0a000014 0a00000a
        1f90 c350 00001001 00002001 5012ffff 88d2 0000`,
  ),
  passes(
    "ordinary traffic on the way out",
    "egress uplink",
    `
        02000000ff99 020000000011 0800
        45000028 00014000 4006f4bf 0a00000a cb007105
        c350 01bb 00001001 00002001 5010ffff 74b7 0000`,
  ),
  passes(
    "a frame for another host's MAC on an uplink: seen because the device is promiscuous",
    "ingress uplink",
    `
        020000000077 02000000ff99 0800
        45000028 00014000 40063cc8 cb007105 c0000201
        c350 7580 00001001 00000000 5002ffff 6909 0000`,
  ),
  passes(
    "a segment of no connection to another host's MAC: no RST from us",
    "ingress uplink",
    `
        020000000077 02000000ff99 0800
        45000028 00014000 40063cc8 cb007105 c0000201
        c350 7580 00001001 00002001 5010ffff 48fa 0000`,
  ),
  passes(
    "a frame for another MAC on a pod's veth",
    "ingress client",
    `
        020000000077 02000000ff10 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350 0050 00001001 00000000 5002ffff c7d6 0000`,
  ),
  passes(
    "a probe of the node's own kubelet, on its way to a pod that serves",
    "egress server",
    `
        02000000ff20 020000000022 0800
        45000028 00014000 40066eba c0000201 0a000014
        a0281f9000001000000000005002ffff14150000`,
  ),
  passes(
    "and its answer",
    "ingress server",
    `
        020000000022 02000000ff20 0800
        45000028 00014000 40066eba 0a000014 c0000201
        1f90a02800002000000010015012fffff4030000`,
  ),
  passes(
    "ESP whose bytes look like ports of an endpoint, on its way out of one",
    "ingress server",
    `
        020000000022 02000000ff20 0800
        45000024 00014000 4032268a 0a000014 0a00000a
        1f90c350000000010001020304050607`,
    "malformed",
  ),
  passes(
    "a protocol of nobody's on the way to a pod",
    "egress server",
    `
        02000000ff20 020000000022 0800
        4500001c 00014000 40fd25c7 0a00000a 0a000014
        c3501f9000001001`,
    "malformed",
  ),
]);

table("malformed packets to a Service over IPv4", services4, [
  cutShort(
    "a TCP header under the protocol number of SCTP",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 408425e7 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a header length below 20 bytes",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        44000028 00014000 40062765 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a header length beyond the packet",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        4f000028 00014000 40062665 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a total length that ends within the ports",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        4500001b 00014000 40062672 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a total length beyond the frame",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000029 00014000 40062664 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a total length that ends within the TCP header",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000027 00014000 40062666 0a00000a 0a600001
        c350005000001001000000005002ffffc7d60000`,
  ),
  cutShort(
    "a TCP header that says it is shorter than one",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350005000001001000000004002ffffc7d60000`,
  ),
  cutShort(
    "a TCP header that says it is longer than its packet",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000028 00014000 40062665 0a00000a 0a600001
        c350005000001001000000006002ffffc7d60000`,
  ),
  cutShort(
    "a datagram that says it is longer than its packet",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000021 00014000 40112661 0a00000a 0a600001
        c350 0035 000e e3fe 68656c6c6f`,
  ),
  cutShort(
    "a datagram that says it is shorter than its header",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000021 00014000 40112661 0a00000a 0a600001
        c350 0035 0007 e3fe 68656c6c6f`,
  ),
  cutShort(
    "a datagram of length 0",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000021 00014000 40112661 0a00000a 0a600001
        c350 0035 0000 e3fe 68656c6c6f`,
  ),
  passes(
    "a datagram to the node itself that is longer than its packet",
    "ingress client",
    `
        020000000021 02000000ff10 0800
        45000021 00014000 401123c9 0a00000a c0000201
        c350 7536 000e 0000 68656c6c6f`,
    "malformed",
  ),
]);
