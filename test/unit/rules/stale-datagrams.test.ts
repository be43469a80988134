// SPDX-License-Identifier: Apache-2.0
// Which UDP flows netfilter is made to forget, by what conntrack lists of them.

import { expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { staleDatagrams, trackedDatagrams } from "../../../src/datapath/rules/stale-datagrams.ts";
import { ip, member, service } from "../../support/compiled.ts";

const TRACKED = `udp      17 29 src=10.9.1.10 dst=10.96.0.53 sport=40000 dport=53 [UNREPLIED] src=10.9.2.10 dst=10.9.1.10 sport=5353 dport=40000 mark=0 use=1
udp      17 117 src=10.9.1.11 dst=10.96.0.53 sport=40001 dport=53 src=10.9.2.10 dst=10.9.1.11 sport=5353 dport=40001 [ASSURED] mark=0 use=1
udp      17 117 src=10.9.1.11 dst=10.96.0.53 sport=40002 dport=53 src=10.9.2.11 dst=10.9.1.11 sport=5353 dport=40002 [ASSURED] mark=0 use=1
udp      17 9 src=10.9.1.11 dst=10.96.0.53 sport=40003 dport=53 [UNREPLIED] src=10.96.0.53 dst=10.9.1.11 sport=53 dport=40003 mark=0 use=1
udp      17 9 src=192.168.50.10 dst=192.168.50.1 sport=1 dport=30053 src=10.9.2.10 dst=192.168.50.1 sport=5353 dport=7 mark=0 use=1
udp      17 9 src=10.9.1.11 dst=8.8.8.8 sport=1 dport=30053 src=8.8.8.8 dst=192.168.50.1 sport=30053 dport=7 mark=0 use=1
`;

const dns = (change: Partial<CompiledService>): CompiledService =>
  service({
    ...{ name: "dns", protocol: "UDP", at: "10.96.0.53", port: 53 },
    frontends: [
      { kind: "ClusterIP", address: ip("10.96.0.53"), port: 53 },
      { kind: "NodePort", address: undefined, port: 30_053 },
    ],
    ...change,
  });

const NODE = new Set([ip("192.168.50.1")]);
const stale = (...services: readonly CompiledService[]): readonly string[] =>
  staleDatagrams(services, NODE, trackedDatagrams(TRACKED)).map(
    ({ destination, port, answerer, answererPort }) => `${destination}:${port} ${answerer}:${answererPort}`,
  );

test("row 58: flows to an endpoint that serves no more go, each kind once, and those that nobody translated", () => {
  expect(stale(dns({ cluster: [member("10.9.2.11", 5353)] }))).toEqual([
    "10.96.0.53:53 10.9.2.10:5353",
    "10.96.0.53:53 10.96.0.53:53",
    "192.168.50.1:30053 10.9.2.10:5353",
  ]);
});

test("row 58: an endpoint that serves is kept, whatever policy and topology give to new flows", () => {
  const untranslated = ["10.96.0.53:53 10.96.0.53:53"];
  const near = { local: [member("10.9.2.11", 5353)], serving: [member("10.9.2.10", 5353)] };
  expect(stale(dns(near))).toEqual(untranslated);
});

test("row 59: of a Service without any endpoint all go", () => {
  expect(stale(dns({}))).toEqual([
    "10.96.0.53:53 10.9.2.10:5353",
    "10.96.0.53:53 10.9.2.11:5353",
    "10.96.0.53:53 10.96.0.53:53",
    "192.168.50.1:30053 10.9.2.10:5353",
  ]);
});

test("row 60: a port that is a NodePort here is none at other nodes' addresses", () => {
  expect(stale(dns({})).filter((flow) => flow.startsWith("8.8.8.8"))).toEqual([]);
});

test("IPv6 is read as IPv4 is", () => {
  const line =
    "udp      17 29 src=fd00:9::a dst=fd00:10:96::35 sport=40000 dport=53 src=fd00:9::2 dst=fd00:9::a sport=5353 dport=40000 mark=0 use=1";
  expect(trackedDatagrams(line)).toEqual([
    { destination: "fd00:10:96::35", port: 53, answerer: "fd00:9::2", answererPort: 5353 },
  ]);
});
