// SPDX-License-Identifier: Apache-2.0
// From what the kernel holds to what is wanted, in lines for ipvsadm, ip and ipset; what carries a connection stays for it.
import { beforeEach, expect, test } from "vitest";
import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";
import { parseServers } from "../../../src/datapath/ipvs/kernel.ts";
import { Ledger } from "../../../src/datapath/ipvs/ledger.ts";
import { type KernelServer, Mirror } from "../../../src/datapath/ipvs/mirror.ts";
import { shareOf } from "../../../src/datapath/ipvs/share.ts";
import { serverName } from "../../../src/datapath/netfilter/virtual-servers.ts";
import type { Surroundings } from "../../../src/datapath/rules/writer.ts";
import { ip, member, service } from "../../support/compiled.ts";

const AROUND: Surroundings = {
  nodeAddresses: [],
  serviceRanges: [],
  localClients: { by: "source", ranges: [] },
  foreign: new Set(),
  partial: false,
};
const A = member("10.9.1.10", 8080, { local: false });
const B = member("10.9.1.11", 8080, { local: false });
const web = { name: "web", at: "10.96.0.10", port: 80 } as const;
const S = "--tcp-service 10.96.0.10:80";

let ledger: Ledger;
let mirror: Mirror;
const counts = () => ({ frontendsWritten: 0, frontendsRemoved: 0, backendsWritten: 0 });
const put = (one: CompiledService) => ledger.put(one.key, shareOf(one, AROUND, "rr"));
const lines = () => mirror.fit(ledger.takeTouched(), ledger, counts());
/** connections: of 10.96.0.10:80, by real server. */
const drain = (connections: Readonly<Record<string, number>>) => {
  const [server] = shareOf(service(web), AROUND, "rr").servers.values();
  const kernel = new Map<string, KernelServer>();
  if (server) kernel.set(serverName(server), { ...server, connections: new Map(Object.entries(connections)) });
  return mirror.drain(kernel, ledger);
};

beforeEach(() => {
  ledger = new Ledger();
  mirror = new Mirror();
});

test("a service that is new: its members, then its server, then its address", () => {
  put(service({ ...web, cluster: [A], affinitySeconds: 60 }));
  expect(lines()).toEqual({
    addMembers: ["add KUBE-CLUSTER-IP 10.96.0.10,tcp:80", "add KUBE-IPVS-IPS 10.96.0.10"],
    servers: [`-A ${S} -s rr -p 60`, `-a ${S} -r 10.9.1.10:8080 -m -w 1`],
    addAddresses: ["address add 10.96.0.10/32 dev kube-ipvs0"],
    removeAddresses: [],
    removeMembers: [],
  });
  expect(lines().servers).toEqual([]);
});

test("row 50: an endpoint that leaves gets no new connection, and goes when its last one has ended", () => {
  put(service({ ...web, cluster: [A, B] }));
  lines();
  put(service({ ...web, cluster: [B] }));
  expect(lines().servers).toEqual([`-e ${S} -r 10.9.1.10:8080 -m -w 0`]);
  expect(drain({ "10.9.1.10:8080": 1 }).servers).toEqual([]);
  expect(drain({ "10.9.1.10:8080": 0 }).servers).toEqual([`-d ${S} -r 10.9.1.10:8080`]);
  expect(mirror.drains).toBe(false);
});

test("one that comes back while it drains serves again", () => {
  put(service({ ...web, cluster: [A] }));
  lines();
  put(service({ ...web, cluster: [] }));
  lines();
  put(service({ ...web, cluster: [A] }));
  expect(lines().servers).toEqual([`-e ${S} -r 10.9.1.10:8080 -m -w 1`]);
  expect(drain({}).servers).toEqual([]);
  expect(mirror.drains).toBe(false);
});

test("row 50: a service that is gone keeps its server and address while it carries something, and only so long", () => {
  put(service({ ...web, cluster: [A] }));
  lines();
  ledger.put("test/web:/TCP/IPv4" as ServiceKey, undefined);
  expect(lines()).toMatchObject({ servers: [`-e ${S} -r 10.9.1.10:8080 -m -w 0`], removeAddresses: [] });
  expect(drain({ "10.9.1.10:8080": 2 })).toEqual({ servers: [], removeAddresses: [] });
  expect(drain({})).toEqual({
    servers: [`-d ${S} -r 10.9.1.10:8080`, `-D ${S}`],
    removeAddresses: ["address delete 10.96.0.10/32 dev kube-ipvs0"],
  });
});

test("row 58: datagrams are not waited for", () => {
  const dns = { name: "dns", at: "fd00:10:96::a", port: 53, protocol: "UDP" } as const;
  put(service({ ...dns, cluster: [member("fd00:9::a", 53)] }));
  lines();
  put(service({ ...dns, cluster: [] }));
  expect(lines().servers).toEqual(["-d --udp-service [fd00:10:96::a]:53 -r [fd00:9::a]:53"]);
  ledger.put("test/dns:/UDP/IPv6" as ServiceKey, undefined);
  expect(lines()).toMatchObject({
    servers: ["-D --udp-service [fd00:10:96::a]:53"],
    removeAddresses: ["address delete fd00:10:96::a/128 dev kube-ipvs0"],
  });
});

test("two ports of one Service share its address, which goes with the last of them", () => {
  put(service(web));
  put(service({ ...web, name: "tls", port: 443 }));
  expect(lines().addAddresses).toHaveLength(1);
  ledger.put("test/web:/TCP/IPv4" as ServiceKey, undefined);
  expect(lines()).toMatchObject({ servers: [`-D ${S}`], removeAddresses: [] });
});

test("a frontend that moves from one service to another is never taken away", () => {
  put(service({ ...web, cluster: [A] }));
  lines();
  const heir = service({ ...web, name: "heir", cluster: [A] });
  put(heir);
  ledger.put("test/web:/TCP/IPv4" as ServiceKey, undefined);
  expect(lines()).toMatchObject({ servers: [], removeAddresses: [], removeMembers: [] });
});

test("a range that is denied where it was admitted replaces it, for a set has one of the two", () => {
  const range = { address: ip("192.0.2.0"), prefixLength: 24 };
  const filtered = (admit: boolean) =>
    service({ ...web, sources: { kinds: ["ClusterIP"], rules: [{ range, admit }] } });
  put(filtered(true));
  lines();
  put(filtered(false));
  const entry = "KUBE-LOAD-BALANCER-SOURCE-CIDR 10.96.0.10,tcp:80,192.0.2.0/24";
  expect(lines()).toMatchObject({ addMembers: [`del ${entry}`, `add ${entry} nomatch`], removeMembers: [] });
});

test("what an earlier agent left is made to fit, and what fits stays as it is", () => {
  const found = parseServers(`IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A60000A:0050 rr persistent 60 FFFFFFFF
  -> 0A09010A:1F90      Masq    1      2          1
  -> 0A09010C:1F90      Masq    1      1          0
TCP  0A60000B:0050 rr
`);
  expect(found.map(({ connections }) => Object.fromEntries(connections))).toEqual([
    { "10.9.1.10:8080": 3, "10.9.1.12:8080": 1 },
    {},
  ]);
  mirror = new Mirror({
    servers: found,
    vips: new Set([ip("10.96.0.10"), ip("10.96.0.11")]),
    members: new Set(["KUBE-CLUSTER-IP 10.96.0.10,tcp:80", "KUBE-CLUSTER-IP 10.96.0.11,tcp:80"]),
  });
  put(service({ ...web, cluster: [A, B], affinitySeconds: 60 }));
  ledger.takeTouched();
  expect(mirror.fit(mirror.all(ledger), ledger, counts())).toEqual({
    addMembers: ["add KUBE-IPVS-IPS 10.96.0.10"],
    servers: [
      `-a ${S} -r 10.9.1.11:8080 -m -w 1`,
      `-e ${S} -r 10.9.1.12:8080 -m -w 0`,
      "-D --tcp-service 10.96.0.11:80",
    ],
    addAddresses: [],
    removeAddresses: ["address delete 10.96.0.11/32 dev kube-ipvs0"],
    removeMembers: ["del KUBE-CLUSTER-IP 10.96.0.11,tcp:80"],
  });
});

test("what somebody else has taken away is missed", () => {
  put(service({ ...web, cluster: [A] }));
  lines();
  const server = (weight: number): KernelServer => {
    const [one] = shareOf(service({ ...web, cluster: [A] }), AROUND, "rr").servers.values();
    if (!one) throw new Error("no server");
    return { ...one, reals: new Map([["10.9.1.10:8080", weight]]), connections: new Map() };
  };
  const vips = new Set([ip("10.96.0.10")]);
  const members = new Set(["KUBE-CLUSTER-IP 10.96.0.10,tcp:80", "KUBE-IPVS-IPS 10.96.0.10", "KUBE-CLUSTER-IP other"]);
  expect(mirror.isIn({ servers: [server(1)], vips, members })).toBe(true);
  expect(mirror.isIn({ servers: [server(0)], vips, members })).toBe(false);
  expect(mirror.isIn({ servers: [], vips, members })).toBe(false);
  expect(mirror.isIn({ servers: [server(1)], vips: new Set(), members })).toBe(false);
  expect(mirror.isIn({ servers: [server(1)], vips, members: new Set() })).toBe(false);
});
