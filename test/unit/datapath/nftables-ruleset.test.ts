// SPDX-License-Identifier: Apache-2.0
// What of our table of nftables is written for a change: no more than differs, and nothing goes that a packet under way may need.
import { expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { type FoundTable, type readElements, readTable } from "../../../src/datapath/nftables/listing.ts";
import { NOTHING, type Part } from "../../../src/datapath/nftables/part.ts";
import { Ruleset } from "../../../src/datapath/nftables/ruleset.ts";
import { servicePart } from "../../../src/datapath/nftables/service-part.ts";
import type { RuleSettings } from "../../../src/datapath/rules/writer.ts";
import { member, RULE_SETTINGS, type ServiceOptions, service } from "../../support/compiled.ts";

const SETTINGS: RuleSettings = { ...RULE_SETTINGS, families: [4] };
const CHAIN = "internal4-e97d844c-test/web/tcp";
const ENDPOINTS = ["10.9.1.2", "10.9.1.3", "10.9.1.4"].map((address) => member(address, 8080));

const web = (more: Partial<ServiceOptions> = {}) =>
  service({ name: "web", at: "10.96.0.1", port: 80, cluster: ENDPOINTS, ...more });
const part = (compiled: CompiledService) => servicePart(compiled, SETTINGS);
const short = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/ comment "[0-9a-f]{16}"$/, "").replace(" inet portolan", ""));
const translates = (mod: number, offset: number, map: string) =>
  `add rule ${CHAIN} meta l4proto 6 meta mark set meta mark or 0x8000 dnat ip to numgen random mod ${mod} offset ${offset} map @${map}`;

function begun(...parts: readonly Part[]): Ruleset {
  const ruleset = new Ruleset([4], undefined, []);
  ruleset.change([], parts, 0);
  return ruleset;
}

test("a change of endpoints writes a fresh block and the chain's rules; the old block goes a second later", () => {
  const ruleset = begun(part(web()));
  const change = ruleset.change([part(web())], [part(web({ cluster: ENDPOINTS.slice(0, 2) }))], 5000);
  expect(short(change.lines)).toEqual([
    "delete element hairpins4 { 10.9.1.4 . 10.9.1.4 }",
    "add element endpoints4-tcp-0 { 3 : 10.9.1.2 . 8080, 4 : 10.9.1.3 . 8080 }",
    `flush chain ${CHAIN}`,
    `add rule ${CHAIN} jump masquerade-internal`,
    translates(2, 3, "endpoints4-tcp-0"),
  ]);
  expect(ruleset.reclaim(5999)).toEqual([]);
  expect(short(ruleset.reclaim(6000))).toEqual(["delete element endpoints4-tcp-0 { 0, 1, 2 }"]);
  expect(ruleset.reclaim(99_000)).toEqual([]);
  const next = ruleset.change([part(web({ cluster: ENDPOINTS.slice(0, 2) }))], [part(web())], 100_000);
  expect(short(next.lines)).toContain(translates(3, 0, "endpoints4-tcp-0")); // the first gap that is wide enough
});

test("what is the same is not written", () => {
  const ruleset = begun(part(web()));
  expect(ruleset.change([part(web())], [part(web())], 5000)).toMatchObject({ lines: [], endpoints: 0 });
});

test("row 79: a Service that goes: its frontends and rules at once, its chain a second later", () => {
  const ruleset = begun(part(web()));
  expect(short(ruleset.change([part(web())], [NOTHING], 5000).lines)).toEqual([
    "delete element frontends4 { 10.96.0.1 . 6 . 80 }",
    "delete element cluster-ips4 { 10.96.0.1 }",
    "delete element hairpins4 { 10.9.1.2 . 10.9.1.2, 10.9.1.3 . 10.9.1.3, 10.9.1.4 . 10.9.1.4 }",
    `flush chain ${CHAIN}`,
  ]);
  expect(short(ruleset.reclaim(6000))).toEqual([
    `delete chain ${CHAIN}`,
    "delete element endpoints4-tcp-0 { 0, 1, 2 }",
  ]);
});

test("one that comes back before that has its chain", () => {
  const ruleset = begun(part(web()));
  ruleset.change([part(web())], [NOTHING], 5000);
  expect(short(ruleset.change([], [part(web())], 5500).lines).filter((line) => line.includes(CHAIN))).toEqual([
    `add rule ${CHAIN} jump masquerade-internal`,
    translates(3, 3, "endpoints4-tcp-0"),
    `add element frontends4 { 10.96.0.1 . 6 . 80 : goto ${CHAIN} }`,
  ]);
  expect(short(ruleset.reclaim(9000))).toEqual(["delete element endpoints4-tcp-0 { 0, 1, 2 }"]);
});

test("a frontend that passes to another Service is taken away and added in one transaction", () => {
  const other = {
    ...part(web()),
    chains: [],
    elements: [{ of: "frontends4", key: "10.96.0.1 . 6 . 80", value: "drop" }],
  };
  const ruleset = begun(part(web()));
  const lines = short(ruleset.change([part(web())], [NOTHING, other], 5000).lines);
  expect(lines[0]).toBe("delete element frontends4 { 10.96.0.1 . 6 . 80 }");
  expect(lines).toContain("add element frontends4 { 10.96.0.1 . 6 . 80 : drop }");
});

test("a ClusterIP stays active until the last port that has it is gone", () => {
  const [tcp, udp] = [part(web()), part(web({ protocol: "UDP" }))];
  const ruleset = begun(tcp, udp);
  expect(ruleset.change([tcp], [NOTHING], 0).lines.join("\n")).not.toContain("cluster-ips4");
  expect(short(ruleset.change([udp], [NOTHING], 0).lines)).toContain("delete element cluster-ips4 { 10.96.0.1 }");
});

test("row 56: an endpoint that leaves forgets its clients at once", () => {
  const before = part(web({ affinitySeconds: 60, cluster: ENDPOINTS.slice(0, 2) }));
  const after = part(web({ affinitySeconds: 60, cluster: ENDPOINTS.slice(0, 1) }));
  const place = "4-e97d844c-test/web/tcp/10.9.1.3/8080";
  const ruleset = begun(before);
  const lines = short(ruleset.change([before], [after], 5000).lines);
  expect(lines.slice(-2)).toEqual([`flush chain endpoint${place}`, `delete set clients${place}`]);
  expect(lines.filter((line) => line.includes("10.9.1.2/8080"))).toEqual([
    `add rule ${CHAIN} ip saddr @clients4-e97d844c-test/web/tcp/10.9.1.2/8080 goto endpoint4-e97d844c-test/web/tcp/10.9.1.2/8080`,
    `add rule ${CHAIN} numgen random mod 1 vmap { 0 : goto endpoint4-e97d844c-test/web/tcp/10.9.1.2/8080 }`,
  ]);
  expect(short(ruleset.change([after], [before], 5500).lines)).toContain(
    `add set clients${place} { type ipv4_addr ; size 65536 ; flags dynamic, timeout ; }`,
  );
});

test("32 translations share a map of endpoints, fewer if they have many", () => {
  const many = (count: number, size: number) =>
    Array.from({ length: count }, (_, n) => {
      const cluster = Array.from({ length: size }, (_, m) => member(`10.${n}.${m >> 8}.${m & 255}`, 80));
      return part(service({ name: `web${n}`, at: `10.96.0.${n}`, port: 80, cluster }));
    });
  const maps = (count: number, size: number) =>
    new Ruleset([4], undefined, [])
      .change([], many(count, size), 0)
      .lines.filter((line) => line.startsWith("add map inet portolan endpoints")).length;
  expect([maps(32, 1), maps(33, 1), maps(4, 512), maps(5, 512), maps(2, 3000)]).toEqual([1, 2, 1, 2, 2]);
});

/** What nft would list of the lines of a change. */
function listed(lines: readonly string[]): FoundTable {
  const chains = new Map<string, object[]>();
  const names: string[] = [];
  for (const line of lines) {
    const [, verb, kind, name = "", rest = ""] = /^(\w+) (\w+) inet portolan (\S+) ?(.*)$/.exec(line) ?? [];
    if (verb !== "add") continue;
    if (kind === "chain") chains.set(name, []);
    if (kind === "map" || kind === "set") names.push(name);
    const [, comment] = / comment "(\w+)"$/.exec(rest) ?? [];
    const map = /map (@endpoints\S+)/.exec(rest)?.[1];
    if (kind === "rule")
      chains.get(name)?.push({ chain: name, expr: map ? [{ data: map }] : [], ...(comment && { comment }) });
  }
  const objects = [
    ...names.map((name) => ({ map: { name } })),
    ...[...chains.keys()].map((name) => ({ chain: { name } })),
    ...[...chains.values()].flat().map((rule) => ({ rule })),
  ];
  return readTable(JSON.stringify({ nftables: objects }));
}

function elementsOf(lines: readonly string[]): ReturnType<typeof readElements> {
  return lines.flatMap((line) => {
    const [, of = "", texts] = /^add element inet portolan (\S+) \{ (.*) \}$/.exec(line) ?? [];
    if (texts === undefined || of.startsWith("endpoints")) return [];
    return texts.split(", ").map((text) => {
      const [key = "", value = ""] = text.split(" : ");
      return { of, key, value };
    });
  });
}

test("the next agent finds what it wants, and writes nothing", () => {
  const parts = [part(web()), part(service({ name: "none", at: "10.96.0.2", port: 80 }))];
  const { lines } = new Ruleset([4], undefined, []).change([], parts, 0);
  const next = new Ruleset([4], listed(lines), elementsOf(lines));
  expect(next.replace(parts, 0).lines).toEqual([]);
  expect(next.reclaim(99_000)).toEqual([]);
});

test("it puts changed endpoints into a map of its own; the earlier agent's goes with the last of its blocks", () => {
  const other = part(service({ name: "other", at: "10.96.0.2", port: 80, cluster: ENDPOINTS.slice(0, 1) }));
  const { lines } = new Ruleset([4], undefined, []).change([], [part(web()), other], 0);
  const next = new Ruleset([4], listed(lines), elementsOf(lines));
  const less = part(web({ cluster: ENDPOINTS.slice(0, 2) }));
  const change = next.replace([less, other], 0);
  expect(short(change.lines).slice(1, 3)).toEqual([
    "add map endpoints4-tcp-1 { typeof numgen random mod 1 : ip daddr . tcp dport ; }",
    "add element endpoints4-tcp-1 { 0 : 10.9.1.2 . 8080, 1 : 10.9.1.3 . 8080 }",
  ]);
  expect(next.reclaim(5000)).toEqual([]);
  next.change([other], [NOTHING], 5000);
  expect(short(next.reclaim(9000))).toContain("delete map endpoints4-tcp-0");
});

test("what an earlier agent left of Services that are gone goes, and rules that somebody has added to a chain", () => {
  const parts = [part(web())];
  const { lines } = new Ruleset([4], undefined, []).change([], parts, 0);
  const more = [
    ...lines,
    `add rule inet portolan ${CHAIN} accept`,
    "add chain inet portolan other",
    "add rule inet portolan other drop",
  ];
  const next = new Ruleset([4], listed(more), elementsOf(lines));
  const { lines: mended } = next.replace(parts, 0);
  expect(mended).toContain(`flush chain inet portolan ${CHAIN}`);
  expect(mended).toContain("flush chain inet portolan other");
  expect(next.reclaim(1000)).toContain("delete chain inet portolan other");
});
