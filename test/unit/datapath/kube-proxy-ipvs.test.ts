// SPDX-License-Identifier: Apache-2.0
// Which virtual servers are a kube-proxy's: only they may be taken away.
import { expect, test } from "vitest";
import { setNameOf } from "../../../src/datapath/netfilter/ipvs-names.ts";
import { theirServers } from "../../../src/datapath/netfilter/kube-proxy-ipvs.ts";
import { serverName, type VirtualServer } from "../../../src/datapath/netfilter/virtual-servers.ts";
import type { Ip } from "../../../src/model/ip.ts";

const ip = (address: string): Ip => address as Ip;
const tcp = (address: string, port: number): VirtualServer => ({ protocol: "TCP", address: ip(address), port });
const NODE = {
  vips: new Set([ip("10.96.0.10"), ip("fd00:10:96::a")]),
  others: new Set([ip("192.168.50.1"), ip("fd00:50::1")]),
};
const SAVED = [
  "create KUBE-NODE-PORT-TCP bitmap:port range 0-65535",
  "add KUBE-NODE-PORT-TCP 30080",
  "add KUBE-6-NODE-PORT-UDP 30053",
  "add KUBE-EXTERNAL-IP 192.168.50.1,tcp:80",
  "add KUBE-6-LOAD-BALANCER 2001:0DB8::1,udp:53",
  "add blocked 192.0.2.1",
];

test("those on its device, those that its sets name, and its node ports on the node's addresses", () => {
  const theirs = [
    tcp("10.96.0.10", 80),
    tcp("fd00:10:96::a", 80),
    tcp("192.168.50.1", 80),
    tcp("192.168.50.1", 30_080),
    { protocol: "UDP", address: ip("fd00:50::1"), port: 30_053 },
    { protocol: "UDP", address: ip("2001:db8::1"), port: 53 },
  ] as const;
  const others = [
    tcp("192.0.2.77", 8080),
    tcp("192.168.50.1", 8080),
    tcp("192.0.2.77", 30_080), // no address of the node
    tcp("fd00:50::1", 30_080), // a node port of the other family alone
    tcp("192.168.50.1", 30_053),
    { protocol: "SCTP", address: ip("192.168.50.1"), port: 30_080 },
  ] as const;
  expect(theirServers([...others, ...theirs], SAVED, NODE).map(serverName)).toEqual(theirs.map(serverName));
});

test("names of sets of IPv6 are cut as the kernel's room for them is", () => {
  expect(setNameOf("KUBE-LOAD-BALANCER-SOURCE-CIDR", 4)).toBe("KUBE-LOAD-BALANCER-SOURCE-CIDR");
  expect(setNameOf("KUBE-LOAD-BALANCER-SOURCE-CIDR", 6)).toBe("KUBE-6-LOAD-BALANCER-SOURCE-CID");
  expect(setNameOf("KUBE-NODE-PORT-LOCAL-SCTP-HASH", 6)).toBe("KUBE-6-NODE-PORT-LOCAL-SCTP-HAS");
});
