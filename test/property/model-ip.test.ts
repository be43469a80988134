// SPDX-License-Identifier: Apache-2.0
// Our address parser against ipaddr.js, which is slower and older.

import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { type Ip, ipFromBytes, ipToBytes, parseIp } from "../../src/model/ip.ts";

/** Canonical text by ipaddr.js, with IPv4-mapped addresses as IPv4. */
function oracle(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
/** ipaddr.js takes ::1.2.3.4, the deprecated IPv4-compatible form, for IPv4-mapped; RFC 4291 and Go do not. */
const ipv6 = fc.ipV6().filter((text) => !/^::\d+\./.test(text));
/** Many zero groups, so that :: has to be placed. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 });

test("every IPv6 address is read and written as ipaddr.js does", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        ipv6,
        groups.map((g) => g.map((n) => n.toString(16)).join(":")),
      ),
      (text) => {
        expect(parseIp(text)).toBe(oracle(text));
      },
    ),
    { numRuns: 1000 },
  );
}, 30_000);

test("every IPv4 address is read and written as ipaddr.js does", () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      expect(parseIp(text)).toBe(oracle(text));
    }),
    { numRuns: 1000 },
  );
}, 30_000);

test("leading zeros of octets never change an IPv4 address", () => {
  const octet = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 4 }));
  fc.assert(
    fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
      const sloppy = octets.map(([n, zeros]) => "0".repeat(zeros) + n).join(".");
      expect(parseIp(sloppy)).toBe(octets.map(([n]) => String(n)).join("."));
    }),
  );
});

test("what is almost an address is an address only if ipaddr.js agrees", () => {
  const soup = fc.string({ unit: fc.constantFrom(..."0123456789abcf:.:.::"), maxLength: 24 });
  fc.assert(
    fc.property(soup, (text) => {
      const ours = parseIp(text);
      // ipaddr.js takes leading zeros for octal and short forms (10.1) for addresses: only IPv6 can be compared.
      if (text.includes(":") && !text.includes(".")) expect(ours).toBe(oracle(text));
      else if (ours !== undefined) expect(oracle(ours)).toBe(ours);
    }),
    { numRuns: 1000 },
  );
}, 30_000);

test("bytes make an address and the address the bytes", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(ipToBytes(ipFromBytes(value))).toEqual(value);
    }),
  );
});

test("an address makes bytes and the bytes the address", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const ip = parseIp(text) as Ip;
      expect(ipFromBytes(ipToBytes(ip))).toBe(ip);
    }),
  );
});
