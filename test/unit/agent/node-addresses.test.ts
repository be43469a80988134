// SPDX-License-Identifier: Apache-2.0
// NodePort addresses: behaviour rows 27 and 28.

import { expect, test } from "vitest";
import { UsageError } from "../../../src/agent/errors.ts";
import {
  globalAddresses,
  healthPlaces,
  localAddresses,
  nodeAddresses,
  parseNodePortRule,
} from "../../../src/agent/node-addresses.ts";
import { address, ip, link, network } from "../devices/builders.ts";

const LOOPBACK6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const GLOBAL6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const LINK_LOCAL = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const view = network({
  addresses: [
    address(1, [127, 0, 0, 1]),
    address(1, LOOPBACK6),
    address(2, [192, 0, 2, 10]),
    address(3, [192, 0, 2, 10]),
    address(3, [198, 51, 100, 7]),
    address(3, GLOBAL6),
  ],
});

function served(flag: readonly string[], own: readonly string[] = []): readonly string[] {
  const all = nodeAddresses(localAddresses(view), parseNodePortRule(flag), own.map(ip));
  return all.filter(({ nodePort }) => nodePort).map((entry) => entry.address);
}

test("addresses that IPVS keeps on kube-ipvs0 are none of the node's", () => {
  const links = [link(2, "eth0"), link(5, "kube-ipvs0", { kind: "dummy" })];
  const addresses = [address(2, [192, 0, 2, 10]), address(5, [10, 96, 0, 1])];
  expect([...localAddresses(network({ links, addresses }))]).toEqual(["192.0.2.10"]);
});

test("link-local addresses, which come and go with every pod, are no Service's", () => {
  const local = localAddresses(network({ addresses: [address(2, [10, 96, 0, 10]), address(7, LINK_LOCAL)] }));
  expect([...local]).toEqual(["10.96.0.10", "fe80::1"]);
  expect([...globalAddresses(local)]).toEqual(["10.96.0.10"]);
});

test("row 27: without the flag every local address serves NodePorts, once", () => {
  expect(served([])).toEqual(["127.0.0.1", "::1", "192.0.2.10", "198.51.100.7", "2001:db8::9"]);
});

test("row 28: a family without a CIDR keeps all its addresses", () => {
  expect(served(["192.0.0.0/16"])).toEqual(["::1", "192.0.2.10", "2001:db8::9"]);
  expect(served(["192.0.2.8/29", "2001:db8::/125"])).toEqual(["192.0.2.10"]);
  expect(served(["0.0.0.0/0", "2001:db8::/124"])).toEqual(["127.0.0.1", "192.0.2.10", "198.51.100.7", "2001:db8::9"]);
});

test("row 28: primary means the Node object's first address of each family, and never loopback", () => {
  expect(served(["primary"], ["192.0.2.10", "198.51.100.7", "2001:db8::9"])).toEqual(["192.0.2.10", "2001:db8::9"]);
  expect(served(["primary"], ["198.51.100.7", "127.0.0.1", "203.0.113.1"])).toEqual(["198.51.100.7"]);
  expect(served(["primary"])).toEqual([]);
});

test("row 29: without localhost NodePorts loopback serves none, and everything else does", () => {
  const all = nodeAddresses(localAddresses(view), parseNodePortRule(["127.0.0.0/8", "::/0"]), [], false);
  const kept = all.filter(({ nodePort }) => nodePort).map((entry) => entry.address);
  expect(kept).toEqual(["2001:db8::9"]);
});

test("an address of the Node object that is on no interface is the node's, and serves nothing", () => {
  const all = nodeAddresses(localAddresses(view), [], [ip("203.0.113.1"), ip("192.0.2.10")]);
  expect(all.filter((entry) => entry.address === "203.0.113.1" || entry.address === "192.0.2.10")).toEqual([
    { address: "192.0.2.10", loopback: false, nodePort: true },
    { address: "203.0.113.1", loopback: false, nodePort: false, elsewhere: true },
  ]);
});

test("loopback addresses are marked", () => {
  const loopback = nodeAddresses(localAddresses(view), [], []).filter((entry) => entry.loopback);
  expect(loopback.map((entry) => entry.address)).toEqual(["127.0.0.1", "::1"]);
});

test("row 28: what is no CIDR is refused by name", () => {
  expect(() => parseNodePortRule(["10.0.0.0/8", "primary"])).toThrow(UsageError);
  expect(() => parseNodePortRule(["10.0.0.0/33"])).toThrow(
    '--nodeport-addresses: "10.0.0.0/33" is no CIDR; give CIDRs such as 192.0.2.0/24',
  );
});

test.each([
  [[], ["0.0.0.0"], ["::"]],
  [["0.0.0.0/0", "::/0"], ["0.0.0.0"], ["::"]],
  [["192.0.0.0/16"], ["192.0.2.10"], ["::"]],
  [["192.0.0.0/16", "2001:db8::/32", "fe80::/10"], ["192.0.2.10"], ["2001:db8::9"]],
  [["primary"], ["198.51.100.7"], []],
])("row 66: with %j health checks are answered on %j and %j", (flag, v4, v6) => {
  const withLinkLocal = network({
    addresses: [...view.addresses, address(3, [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
  });
  const rule = parseNodePortRule(flag);
  const places = healthPlaces(
    rule,
    nodeAddresses(localAddresses(withLinkLocal), rule, [ip("198.51.100.7"), ip("203.0.113.1")]),
  );
  expect([places.get(4), places.get(6)]).toEqual([v4, v6]);
});
