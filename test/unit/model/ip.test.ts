// SPDX-License-Identifier: Apache-2.0
// IP addresses: what is accepted and how it is written.

import { describe, expect, test } from "vitest";
import {
  cidrMatcher,
  endpointOrder,
  familyOf,
  type Ip,
  ipFromBytes,
  ipToBytes,
  isInCidr,
  parseCidr,
  parseIp,
} from "../../../src/model/ip.ts";

describe("parseIp", () => {
  test.each([
    ["10.96.0.10", "10.96.0.10"],
    ["172.30.0.041", "172.30.0.41"],
    ["203.000.0113.0255", "203.0.113.255"],
    ["  10.0.0.1\t", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["FD00:0:0:1::A", "fd00:0:0:1::a"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
  ])("row 12: %j is %s", (text, canonical) => {
    expect(parseIp(text)).toBe(canonical);
  });

  test.each([
    "",
    "None",
    "10.0.0",
    "10.0.0.0.1",
    "10.0.0.256",
    "10.0.0.",
    ".10.0.0.1",
    "10..0.1",
    "10.0.0.1/32",
    "0x0a.0.0.1",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "1.2.3.4::",
    "::1.2.3",
  ])("%j is no address", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

test("the family shows in the text", () => {
  expect(familyOf("10.0.0.1" as Ip)).toBe(4);
  expect(familyOf("fd00::1" as Ip)).toBe(6);
});

test("an IPv4 address is stored IPv4-mapped, in wire order", () => {
  expect([...ipToBytes("10.244.1.2" as Ip)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 244, 1, 2]);
});

test("an IPv6 address is stored in wire order", () => {
  expect([...ipToBytes("fd00:1::a0b" as Ip)]).toEqual([253, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 11]);
});

test("4 and 16 bytes make the same IPv4 address", () => {
  expect(ipFromBytes(new Uint8Array([10, 244, 1, 2]))).toBe("10.244.1.2");
  expect(ipFromBytes(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 244, 1, 2]))).toBe("10.244.1.2");
});

test("bytes of another length are refused", () => {
  expect(() => ipFromBytes(new Uint8Array(6))).toThrow("an IP address of 6 bytes: must be 4 or 16");
});

describe("parseCidr", () => {
  test.each([
    ["10.244.1.0/24", "10.244.1.0", 24],
    ["203.0.113.007/025", "203.0.113.0", 25],
    [" 10.1.2.3/0 ", "0.0.0.0", 0],
    ["fd00:0:0:1::1/64", "fd00:0:0:1::", 64],
    ["::1/128", "::1", 128],
  ])("row 12: %j is %s/%i", (text, address, prefixLength) => {
    expect(parseCidr(text)).toEqual({ address, prefixLength });
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "/8"])("%j is no range", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});

test.each([
  ["10.0.0.9", 80, "10.0.0.10", 80],
  ["9.255.255.255", 65535, "10.0.0.0", 1],
  ["10.0.0.1", 9, "10.0.0.1", 10],
  ["fd00::9", 80, "fd00::10", 80],
  ["fd00::1", 9, "fd00::1", 10],
  ["fd00::ffff", 80, "fd00::1:0", 80],
])("%s port %i comes before %s port %i", (a, portA, b, portB) => {
  expect(endpointOrder(a as Ip, portA) < endpointOrder(b as Ip, portB)).toBe(true);
});

test.each([
  ["10.96.0.0/12", ["10.96.0.0", "10.111.255.255"], ["10.95.255.255", "10.112.0.0", "::a60:1", "fd00::1"]],
  ["10.96.0.7/32", ["10.96.0.7"], ["10.96.0.6", "10.96.0.8"]],
  ["0.0.0.0/0", ["1.2.3.4"], ["::1"]],
  ["::/0", ["::1", "fd00::1"], ["1.2.3.4"]],
  ["fd00:10:96::/65", ["fd00:10:96::", "fd00:10:96:0:7fff::"], ["fd00:10:96:0:8000::", "fd00:10:95:ffff::"]],
])("what lies in %s and what does not, asked once or often", (text, inside, outside) => {
  const block = parseCidr(text);
  if (!block) throw new Error(text);
  const holds = cidrMatcher(block);
  for (const [addresses, expected] of [
    [inside, true],
    [outside, false],
  ] as const) {
    for (const address of addresses) {
      const ip = parseIp(address) as Ip;
      expect([address, holds(ip), isInCidr(ip, block)]).toEqual([address, expected, expected]);
    }
  }
});
