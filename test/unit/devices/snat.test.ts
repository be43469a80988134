// SPDX-License-Identifier: Apache-2.0
// The masquerade address by device.

import { expect, test } from "vitest";
import { snatSources } from "../../../src/datapath/devices/snat.ts";
import type { RouteInfo } from "../../../src/libbpf/types.ts";
import { address, defaultRoute, ip, link, network } from "./builders.ts";

const v6 = (last: number): number[] => [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];

test("row 41: a device's own first global address is its source, secondary, tentative and link-local ones are not", () => {
  const addresses = [
    address(2, [169, 254, 0, 1], { scope: 253 }),
    address(2, [192, 0, 2, 20], { flags: 0x81 }),
    address(2, [192, 0, 2, 10]),
    address(2, v6(1), { flags: 0x40 }),
    address(2, v6(2), { flags: 0x20 }),
    address(2, v6(3)),
  ];
  const sources = snatSources(network({ links: [link(2, "eth0")], addresses }), []);
  expect(sources(2)).toEqual({ snat4: "192.0.2.10", snat6: "2001:db8::3" });
});

test("row 41: a VIP that stands on the device, before the address that came anew, is not its source", () => {
  const addresses = [
    address(2, [192, 0, 2, 200], { prefixLength: 32 }),
    address(2, [192, 0, 2, 10]),
    address(2, [192, 0, 2, 11]),
    address(2, v6(0xc8), { prefixLength: 128 }),
    address(2, v6(1)),
  ];
  expect(snatSources(network({ addresses }), [])(2)).toEqual({ snat4: "192.0.2.10", snat6: "2001:db8::1" });
  const node = [ip("192.0.2.11"), ip("2001:db8::c8")];
  expect(snatSources(network({ addresses }), node)(2)).toEqual({ snat4: "192.0.2.11", snat6: "2001:db8::c8" });
  const alone = network({ addresses: addresses.slice(0, 1) });
  expect(snatSources(alone, [])(2).snat4).toBe("192.0.2.200");
});

test("a deprecated address is better than none", () => {
  const sources = snatSources(network({ addresses: [address(2, v6(2), { flags: 0x20 })] }), []);
  expect(sources(2)).toEqual({ snat4: undefined, snat6: "2001:db8::2" });
});

test("row 41: a device without an address takes the node's InternalIP, if a device has it", () => {
  const addresses = [address(2, [192, 0, 2, 10]), address(2, [192, 0, 2, 11])];
  expect(snatSources(network({ addresses }), [ip("192.0.2.11")])(7).snat4).toEqual("192.0.2.11");
  expect(snatSources(network({ addresses }), [ip("192.0.2.99")])(7).snat4).toBeUndefined();
});

test("without an InternalIP the default route of the main table decides", () => {
  const addresses = [address(2, [192, 0, 2, 10]), address(3, [198, 51, 100, 1])];
  const defaultRoutes = [defaultRoute(3, { table: 100 }), defaultRoute(2)];
  expect(snatSources(network({ addresses, defaultRoutes }), [])(7).snat4).toEqual("192.0.2.10");
  const preferred = [defaultRoute(2, { preferredSource: Uint8Array.of(198, 51, 100, 1) })];
  expect(snatSources(network({ addresses, defaultRoutes: preferred }), [])(7).snat4).toEqual("198.51.100.1");
  const lost = [defaultRoute(2, { preferredSource: Uint8Array.of(192, 0, 2, 77) })];
  expect(snatSources(network({ addresses, defaultRoutes: lost }), [])(7).snat4).toEqual("192.0.2.10");
});

test("row 41: of several default routes the lowest metric's counts first, and one that yields nothing hides no other", () => {
  const addresses = [address(2, [192, 0, 2, 10]), address(3, [198, 51, 100, 1])];
  const source = (...defaultRoutes: RouteInfo[]) => snatSources(network({ addresses, defaultRoutes }), [])(7).snat4;
  expect(source(defaultRoute(3, { metric: 200 }), defaultRoute(2, { metric: 100 }))).toEqual("192.0.2.10");
  expect(source(defaultRoute(9), defaultRoute(3, { metric: 100 }))).toEqual("198.51.100.1");
});

test("row 41: without a default route any device's address does, loopback's and a dummy's last", () => {
  const links = [
    link(1, "lo", { arpType: 772 }),
    link(2, "kube-ipvs0", { kind: "dummy" }),
    link(3, "eth0"),
    link(4, "v"),
  ];
  const held = [address(1, [192, 0, 2, 1]), address(2, [10, 96, 0, 1]), address(3, [198, 51, 100, 1])];
  const source = (addresses: typeof held) => snatSources(network({ links, addresses }), [])(4).snat4;
  expect(source(held)).toEqual("198.51.100.1");
  expect(source(held.slice(0, 2))).toEqual("192.0.2.1");
});
