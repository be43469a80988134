// SPDX-License-Identifier: Apache-2.0
// A service port as rules of nftables, in nft's own words.
import { expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { Ruleset } from "../../../src/datapath/nftables/ruleset.ts";
import { servicePart } from "../../../src/datapath/nftables/service-part.ts";
import { cidr, member, RULE_SETTINGS, type ServiceOptions, service } from "../../support/compiled.ts";

const HERE = member("10.9.1.2", 8080);
const THERE = member("10.9.2.2", 8081, { local: false, nodeName: "n2" });

/** Of a service alone in the table, without what the table always has and the comments that hold digests. */
function written(compiled: CompiledService): readonly string[] {
  const { lines } = new Ruleset([4, 6], undefined, []).change([], [servicePart(compiled, RULE_SETTINGS)], 0);
  const fixed = /^add (?:table|map inet portolan (?!endpoints)|set inet portolan (?!clients))/;
  return lines
    .filter((line) => !fixed.test(line))
    .map((line) => line.replace(/ comment "[0-9a-f]{16}"$/, "").replace(" inet portolan", ""));
}

const web = (more: Partial<ServiceOptions> = {}) =>
  service({ name: "web", at: "10.96.0.1", port: 80, cluster: [HERE, THERE], ...more });

test("row 24: a ClusterIP leads to a chain with one rule for its endpoints, which are a block of a map", () => {
  expect(written(web({ portName: "http" }))).toEqual([
    "add chain internal4-e97d844c-test/web/tcp/http",
    "add map endpoints4-tcp-0 { typeof numgen random mod 1 : ip daddr . tcp dport ; }",
    "add element endpoints4-tcp-0 { 0 : 10.9.1.2 . 8080, 1 : 10.9.2.2 . 8081 }",
    "add rule internal4-e97d844c-test/web/tcp/http jump masquerade-internal",
    "add rule internal4-e97d844c-test/web/tcp/http meta l4proto 6 meta mark set meta mark or 0x8000 dnat ip to numgen random mod 2 offset 0 map @endpoints4-tcp-0",
    "add element frontends4 { 10.96.0.1 . 6 . 80 : goto internal4-e97d844c-test/web/tcp/http }",
    "add element cluster-ips4 { 10.96.0.1 }",
    "add element hairpins4 { 10.9.1.2 . 10.9.1.2 }",
  ]);
});

test("row 48: SCTP over IPv6 in the same words, its protocol by number", () => {
  const cluster = [member("fd00:9:1::2", 9000, { local: false })];
  expect(written(service({ name: "s", at: "fd00:10:96::1", port: 80, protocol: "SCTP", cluster }))).toEqual([
    "add chain internal6-1cd6fcc9-test/s/sctp",
    "add map endpoints6-sctp-0 { typeof numgen random mod 1 : ip6 daddr . sctp dport ; }",
    "add element endpoints6-sctp-0 { 0 : fd00:9:1::2 . 9000 }",
    "add rule internal6-1cd6fcc9-test/s/sctp jump masquerade-internal",
    "add rule internal6-1cd6fcc9-test/s/sctp meta l4proto 132 meta mark set meta mark or 0x8000 dnat ip6 to numgen random mod 1 offset 0 map @endpoints6-sctp-0",
    "add element frontends6 { fd00:10:96::1 . 132 . 80 : goto internal6-1cd6fcc9-test/s/sctp }",
    "add element cluster-ips6 { fd00:10:96::1 }",
    "add element hairpins6 { fd00:9:1::2 . fd00:9:1::2 }", // without a node's name it may be here
  ]);
});

test("rows 25 to 27, 36: external frontends share a chain that masquerades", () => {
  const frontends = [
    { kind: "ExternalIP", address: web().frontends[0]?.address, port: 80 },
    { kind: "NodePort", address: undefined, port: 30080 },
  ] as const;
  expect(written({ ...web(), frontends })).toEqual([
    "add chain external4-e97d844c-test/web/tcp",
    "add map endpoints4-tcp-0 { typeof numgen random mod 1 : ip daddr . tcp dport ; }",
    "add element endpoints4-tcp-0 { 0 : 10.9.1.2 . 8080, 1 : 10.9.2.2 . 8081 }",
    "add rule external4-e97d844c-test/web/tcp meta mark set meta mark or 0x4000",
    "add rule external4-e97d844c-test/web/tcp meta l4proto 6 meta mark set meta mark or 0x8000 dnat ip to numgen random mod 2 offset 0 map @endpoints4-tcp-0",
    "add element frontends4 { 10.96.0.1 . 6 . 80 : goto external4-e97d844c-test/web/tcp }",
    "add element left-alone4 { 10.96.0.1 }",
    "add element nodeports4 { 6 . 30080 : goto external4-e97d844c-test/web/tcp }",
    "add element hairpins4 { 10.9.1.2 . 10.9.1.2 }",
  ]);
});

test("row 34: policy Local: pods and the node go to all, the node masqueraded, others to those here as they are", () => {
  const chains = written(web({ kind: "LoadBalancer", externalLocal: true, local: [HERE] })).filter((line) =>
    /rule|endpoints/.test(line),
  );
  expect(chains).toEqual([
    "add map endpoints4-tcp-0 { typeof numgen random mod 1 : ip daddr . tcp dport ; }",
    "add element endpoints4-tcp-0 { 0 : 10.9.1.2 . 8080 }",
    "add element endpoints4-tcp-0 { 1 : 10.9.1.2 . 8080, 2 : 10.9.2.2 . 8081 }",
    "add rule external4-e97d844c-test/web/tcp jump mark-unless-pod",
    "add rule external4-e97d844c-test/web/tcp meta mark and 0x4000 == 0 goto cluster4-e97d844c-test/web/tcp",
    "add rule external4-e97d844c-test/web/tcp fib saddr type local goto cluster4-e97d844c-test/web/tcp",
    "add rule external4-e97d844c-test/web/tcp meta mark set meta mark and 0xffffbfff",
    "add rule external4-e97d844c-test/web/tcp meta l4proto 6 meta mark set meta mark or 0x8000 dnat ip to numgen random mod 1 offset 0 map @endpoints4-tcp-0",
    "add rule cluster4-e97d844c-test/web/tcp meta l4proto 6 meta mark set meta mark or 0x8000 dnat ip to numgen random mod 2 offset 1 map @endpoints4-tcp-0",
  ]);
});

test.each([
  ["row 31: no endpoint anywhere is refused", { cluster: [] }, "10.96.0.1 . 6 . 80 : goto refuse"],
  ["row 33: policy Local, endpoints elsewhere: silence", { internalLocal: true }, "10.96.0.1 . 6 . 80 : drop"],
  [
    "row 31: policy Local, none anywhere: refused",
    { internalLocal: true, cluster: [] },
    "10.96.0.1 . 6 . 80 : goto refuse",
  ],
] as const)("%s, by a chain that is empty", (_what, more, refusal) => {
  expect(written(web(more)).filter((line) => !line.includes("hairpins"))).toEqual([
    "add chain internal4-e97d844c-test/web/tcp",
    "add element frontends4 { 10.96.0.1 . 6 . 80 : goto internal4-e97d844c-test/web/tcp }",
    `add element refusals4 { ${refusal} }`,
    "add element cluster-ips4 { 10.96.0.1 }",
  ]);
});

test("row 33: a NodePort without endpoints here is silent to those whom no rule has translated", () => {
  const lines = written(web({ at: undefined, port: 30080, externalLocal: true }));
  expect(lines).toContain("add element refused-nodeports4 { 6 . 30080 : drop }");
  expect(lines).toContain(
    "add rule external4-e97d844c-test/web/tcp meta mark and 0x4000 == 0 goto cluster4-e97d844c-test/web/tcp",
  );
});

test("rows 44, 45: who is not admitted is dropped in front of everything, the longest range first", () => {
  const rules = [
    { range: cidr("10.0.0.0/8"), admit: true },
    { range: cidr("10.1.0.0/16"), admit: true },
    { range: cidr("192.0.2.0/24"), admit: true },
    { range: cidr("10.1.2.0/24"), admit: false },
    { range: cidr("10.1.2.3/32"), admit: true },
    { range: cidr("0.0.0.0/32"), admit: false },
  ];
  const lines = written(web({ kind: "LoadBalancer", cluster: [], sources: { kinds: ["LoadBalancer"], rules } }));
  expect(lines).toEqual([
    "add chain external4-e97d844c-test/web/tcp",
    "add chain sources-external4-e97d844c-test/web/tcp",
    "add rule sources-external4-e97d844c-test/web/tcp ip saddr { 10.1.2.3/32, 192.0.2.0/24 } goto external4-e97d844c-test/web/tcp",
    "add rule sources-external4-e97d844c-test/web/tcp ip saddr { 10.1.2.0/24 } drop",
    "add rule sources-external4-e97d844c-test/web/tcp ip saddr { 10.0.0.0/8 } goto external4-e97d844c-test/web/tcp",
    "add rule sources-external4-e97d844c-test/web/tcp drop",
    "add element frontends4 { 10.96.0.1 . 6 . 80 : goto sources-external4-e97d844c-test/web/tcp }",
    "add element refusals4 { 10.96.0.1 . 6 . 80 : goto refuse }",
    "add element left-alone4 { 10.96.0.1 }",
  ]);
});

test("row 44: a range of everybody ends the rules, and frontends of other kinds serve all", () => {
  const rules = [
    { range: cidr("::/0"), admit: true },
    { range: cidr("2001:db8::/32"), admit: false },
    { range: cidr("::/128"), admit: true },
  ];
  const sources = { kinds: ["LoadBalancer"], rules } as const;
  const compiled = service({ name: "web", at: "2001:db8:51::1", kind: "LoadBalancer", port: 80, sources });
  const frontends = [
    ...compiled.frontends,
    { kind: "ExternalIP", address: cidr("2001:db8:113::1/128").address, port: 80 },
  ] as const;
  const lines = written({ ...compiled, frontends }).filter((line) => /add rule|frontends/.test(line));
  expect(lines).toEqual([
    "add rule sources-external6-5ead317b-test/web/tcp ip6 saddr { 2001:db8::/32 } drop",
    "add rule sources-external6-5ead317b-test/web/tcp goto external6-5ead317b-test/web/tcp",
    "add element frontends6 { 2001:db8:51::1 . 6 . 80 : goto sources-external6-5ead317b-test/web/tcp, 2001:db8:113::1 . 6 . 80 : goto external6-5ead317b-test/web/tcp }",
  ]);
});

test("rows 51, 52, 54: with affinity endpoints have chains, which remember clients for all frontends", () => {
  const there = member("fd00:9:2::2", 8081, { local: false, nodeName: "n2" });
  const cluster = [member("fd00:9:1::2", 8080), there];
  const compiled = service({
    name: "web",
    at: "fd00:10:96::1",
    port: 53,
    protocol: "UDP",
    cluster,
    affinitySeconds: 300,
  });
  const frontends = [...compiled.frontends, { kind: "NodePort", address: undefined, port: 30080 }] as const;
  const [one, two] = ["6-ed7c0cc6-test/web/udp/fd00.9.1..2/8080", "6-ed7c0cc6-test/web/udp/fd00.9.2..2/8081"];
  const chosen = (way: string) => [
    `add rule ${way}6-ed7c0cc6-test/web/udp ip6 saddr @clients${one} goto endpoint${one}`,
    `add rule ${way}6-ed7c0cc6-test/web/udp ip6 saddr @clients${two} goto endpoint${two}`,
    `add rule ${way}6-ed7c0cc6-test/web/udp numgen random mod 2 vmap { 0 : goto endpoint${one}, 1 : goto endpoint${two} }`,
  ];
  expect(written({ ...compiled, frontends }).filter((line) => !line.startsWith("add element"))).toEqual([
    `add set clients${one} { type ipv6_addr ; size 65536 ; flags dynamic, timeout ; }`,
    `add set clients${two} { type ipv6_addr ; size 65536 ; flags dynamic, timeout ; }`,
    "add chain internal6-ed7c0cc6-test/web/udp",
    "add chain external6-ed7c0cc6-test/web/udp",
    `add chain endpoint${one}`,
    `add chain endpoint${two}`,
    "add rule internal6-ed7c0cc6-test/web/udp jump masquerade-internal",
    ...chosen("internal"),
    "add rule external6-ed7c0cc6-test/web/udp meta mark set meta mark or 0x4000",
    ...chosen("external"),
    `add rule endpoint${one} update @clients${one} { ip6 saddr timeout 300s }`,
    `add rule endpoint${one} meta l4proto 17 meta mark set meta mark or 0x8000 dnat ip6 to [fd00:9:1::2]:8080`,
    `add rule endpoint${two} update @clients${two} { ip6 saddr timeout 300s }`,
    `add rule endpoint${two} meta l4proto 17 meta mark set meta mark or 0x8000 dnat ip6 to [fd00:9:2::2]:8081`,
  ]);
});

test("a ClusterIP that the node has itself is not refused at ports that nobody serves", () => {
  const { frontends } = web();
  const lines = written({ ...web(), frontends: frontends.map((frontend) => ({ ...frontend, onNode: true as const })) });
  expect(lines).toContain("add element left-alone4 { 10.96.0.1 }");
  expect(lines).toContain("add element on-node4 { 10.96.0.1 . 6 . 80 }");
  expect(lines.join("\n")).not.toContain("cluster-ips4");
});

test("a name that nft would read otherwise, or is too long, stays a name", () => {
  const [chain = ""] = written(web({ namespace: 'a"; flush ruleset #', portName: "p".repeat(300) }));
  expect(chain).toBe(`add chain internal4-e97d844c-a___flush_ruleset__/web/tcp/${"p".repeat(152)}`);
});
