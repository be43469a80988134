// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { craftPacket } from "../../../src/inspect/packet.ts";
import type { Protocol } from "../../../src/model/service.ts";

const CLIENT_4 = Uint8Array.of(203, 0, 113, 2);
const VIP_4 = Uint8Array.of(172, 30, 0, 41);
const CLIENT_6 = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const VIP_6 = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);

// The bytes were checked with `tcpdump -vv`, which calls every checksum correct.
test.each<[string, Uint8Array, Uint8Array, Protocol, string]>([
  [
    "TCP SYN over IPv4",
    CLIENT_4,
    VIP_4,
    "TCP",
    "000000000000020000000002080045000028000040004006528" + "6cb007102ac1e00299c40005000000001000000005002faf030160000",
  ],
  [
    "TCP SYN over IPv6",
    CLIENT_6,
    VIP_6,
    "TCP",
    "00000000000002000000000286dd6000000000140640" +
      "20010db800000000000000000000000120010db8000000000000000000000002" +
      "9c40005000000001000000005002faf0bceb0000",
  ],
  [
    "UDP over IPv4",
    CLIENT_4,
    VIP_4,
    "UDP",
    "00000000000002000000000208004500001c0000400040115287cb007102ac1e00299c40005000087b03",
  ],
  [
    "UDP over IPv6",
    CLIENT_6,
    VIP_6,
    "UDP",
    "00000000000002000000000286dd6000000000081140" +
      "20010db800000000000000000000000120010db80000000000000000000000029c400050000807d9",
  ],
  [
    "SCTP INIT over IPv4",
    CLIENT_4,
    VIP_4,
    "SCTP",
    "00000000000002000000000208004500003400004000408451fccb007102ac1e0029" +
      "9c40005000000000c610137801000014000000010000faf0000a000a00000001",
  ],
  [
    "SCTP INIT over IPv6",
    CLIENT_6,
    VIP_6,
    "SCTP",
    "00000000000002000000000286dd6000000000208440" +
      "20010db800000000000000000000000120010db8000000000000000000000002" +
      "9c40005000000000c610137801000014000000010000faf0000a000a00000001",
  ],
])("%s is crafted byte for byte", (_, source, destination, protocol, expected) => {
  const frame = craftPacket({ source, destination, sourcePort: 40000, destinationPort: 80, protocol });
  expect(Buffer.from(frame).toString("hex")).toBe(expected);
});
