// SPDX-License-Identifier: Apache-2.0
// What is written to a table of iptables, and what is taken out of one: by what is there.
import { describe, expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { FamilyRules } from "../../../src/datapath/iptables/family-rules.ts";
import { listingOf } from "../../../src/datapath/iptables/listing.ts";
import { serviceHash } from "../../../src/datapath/iptables/names.ts";
import { ownRemoval } from "../../../src/datapath/iptables/removal.ts";
import { reportOf } from "../../../src/datapath/iptables/report.ts";
import type { TableChange } from "../../../src/datapath/iptables/table.ts";
import type { Wanted } from "../../../src/datapath/rules/writer.ts";
import { cidr, ip, member, service } from "../../support/compiled.ts";

const ENDPOINTS = ["10.9.1.10", "10.9.1.11", "10.9.1.12"].map((address) => member(address, 8080));
const web = (count: number): CompiledService =>
  service({ name: "web", at: "10.96.0.10", port: 80, cluster: ENDPOINTS.slice(0, count) });
const other = service({ name: "other", at: "10.96.0.11", port: 80, cluster: ENDPOINTS.slice(0, 1) });

function wanted(services: readonly CompiledService[], more: Partial<Wanted> = {}): Wanted {
  return {
    services: new Map(services.map((one) => [one.key, one])),
    surroundings: {
      nodeAddresses: [{ address: ip("192.168.50.1"), loopback: false, nodePort: true }],
      serviceRanges: [],
      localClients: { by: "source", ranges: [cidr("10.9.0.0/16")] },
      foreign: new Set(),
      partial: false,
    },
    changed: new Set([web(0).key]),
    surroundingsChanged: false,
    whole: false,
    ...more,
  };
}

function family(): FamilyRules {
  return new FamilyRules(4, {
    families: [4],
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    forwardMark: 0x100,
    localhostNodePorts: false,
    liberal: false,
  });
}

const TABLES = ["filter", "nat", "mangle"] as const;

/** As a writer does; `iptables -S` of nat before, if given. Returns what was written. */
function write(rules: FamilyRules, of: Wanted, nat?: readonly string[]) {
  const rendered = rules.want(of, "ipset");
  if (nat) {
    const { chains, held } = listingOf("nat", nat);
    rules.tables.nat.found(chains, held);
  }
  const { filter, nat: natTable, mangle } = rules.tables;
  const changes = { filter: filter.change(), nat: natTable.change(), mangle: mangle.change() };
  const report = reportOf(rules, rendered, changes);
  for (const table of TABLES) rules.tables[table].done(changes[table]);
  return { changes, report };
}

const chainsOf = ({ written, removed }: TableChange) =>
  [...written, ...[...removed].map((chain) => `-${chain}`)].sort();
const named = (chain: string) =>
  [web(0), other].reduce((text, one) => text.replace(serviceHash(one), one.name), chain).replace(/SEP-.*/, "SEP");

describe("what is written", () => {
  test("is at first everything, once", () => {
    const rules = family();
    const { changes, report } = write(rules, wanted([web(2), other], { whole: true }));
    expect(report).toEqual({
      servicesWritten: 2,
      servicesRemoved: 0,
      frontendsWritten: 2,
      frontendsRemoved: 0,
      backendsWritten: 3,
    });
    expect(changes.nat.lines.filter((line) => line.startsWith(":"))).toHaveLength(10);
    expect(write(rules, wanted([web(2), other], { whole: true })).changes.nat.lines).toEqual([]);
  });

  test("is of a change of endpoints that Service's chains, and of frontends the chain that all share", () => {
    const rules = family();
    write(rules, wanted([web(2), other], { whole: true }));
    const more = write(rules, wanted([web(3), other]));
    expect(chainsOf(more.changes.nat).map(named)).toEqual(["KUBE-SEP", "KUBE-SVC-web"]);
    expect(more.changes.filter.lines).toEqual([]);
    expect(more.report).toMatchObject({ servicesWritten: 1, frontendsWritten: 0, backendsWritten: 1 });
    const fewer = write(rules, wanted([web(1), other]));
    expect(chainsOf(fewer.changes.nat).map(named)).toEqual(["-KUBE-SEP", "-KUBE-SEP", "KUBE-SVC-web"]);
    const gone = write(rules, wanted([other]));
    expect(chainsOf(gone.changes.nat).map(named)).toEqual(["-KUBE-SEP", "-KUBE-SVC-web", "KUBE-SERVICES"]);
    expect(gone.report).toMatchObject({ servicesWritten: 0, servicesRemoved: 1, frontendsRemoved: 1 });
  });

  test("row 31: is of a Service that loses its last endpoint a refusal, in the table that is written first", () => {
    const rules = family();
    write(rules, wanted([web(2), other], { whole: true }));
    const { changes } = write(rules, wanted([web(0), other]));
    expect(chainsOf(changes.filter)).toEqual(["KUBE-SERVICES"]);
    expect(chainsOf(changes.nat).map(named)).toContain("KUBE-SERVICES");
  });

  test("refers to chains that are there: each is declared first, and deleted last", () => {
    const rules = family();
    write(rules, wanted([web(2), other], { whole: true }));
    const { lines } = write(rules, wanted([web(1), other])).changes.nat;
    expect(lines.map((line) => line.replace(/^(:|-[AX]).*/, "$1"))).toEqual([":", ":", "-A", "-A", "-A", "-X"]);
  });

  test("declares the last name first, which the nft variant takes quickest", () => {
    const { lines } = write(family(), wanted([web(3), other], { whole: true })).changes.nat;
    const declared = lines.filter((line) => line.startsWith(":"));
    expect(declared).toEqual(declared.toSorted().reverse());
  });
});

test("chains that are not as they were written are named: changed, gone, and somebody's", () => {
  const rules = family();
  write(rules, wanted([web(2), other], { whole: true }));
  const { nat } = rules.tables;
  const there = new Map(["KUBE-SERVICES", "KUBE-POSTROUTING"].map((chain) => [chain, nat.written(chain)]));
  const named = (chain: string) => nat.differing(there).includes(chain);
  expect(["KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"].map(named)).toEqual([false, false, true]);
  there.set("KUBE-SERVICES", []).set("KUBE-SVC-GONE", []);
  expect(["KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-SVC-GONE"].map(named)).toEqual([true, false, true]);
});

describe("what an earlier agent or a kube-proxy left", () => {
  /** The listing of what was written, and more. */
  function listed(...more: readonly string[]): readonly string[] {
    const { lines } = write(family(), wanted([web(2), other], { whole: true })).changes.nat;
    const chains = lines.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []).map((chain) => `-N ${chain}`);
    return ["-P PREROUTING ACCEPT", ...chains, ...lines.filter((line) => line.startsWith("-A")), ...more];
  }

  test("stays where it fits: nothing is written, and nothing counted", () => {
    const { changes, report } = write(family(), wanted([web(2), other], { whole: true }), listed());
    expect(changes.nat.lines).toEqual([]);
    expect(report.servicesWritten).toBe(0);
  });

  test("goes where it does not: chains of Services that are gone, and kube-proxy's canary", () => {
    const left = ["-N KUBE-PROXY-CANARY", "-N KUBE-SVC-GONE", "-A KUBE-SVC-GONE -j KUBE-SEP-GONE", "-N KUBE-SEP-GONE"];
    const { changes } = write(family(), wanted([web(2), other], { whole: true }), listed(...left, "-N KUBE-MARK-DROP"));
    expect(changes.nat.lines).toEqual([
      ":KUBE-SVC-GONE - [0:0]",
      ":KUBE-SEP-GONE - [0:0]",
      ":KUBE-PROXY-CANARY - [0:0]",
      "-X KUBE-PROXY-CANARY",
      "-X KUBE-SVC-GONE",
      "-X KUBE-SEP-GONE",
    ]);
  });

  test("is emptied where a rule of others leads to it, which would keep it from being deleted", () => {
    const left = ["-N KUBE-SVC-GONE", "-A KUBE-SVC-GONE -j ACCEPT", "-A CNI-X -m comment --comment x -j KUBE-SVC-GONE"];
    const rules = family();
    const { changes } = write(rules, wanted([web(2), other], { whole: true }), listed(...left));
    expect(changes.nat.lines).toEqual([":KUBE-SVC-GONE - [0:0]"]);
    expect(write(rules, wanted([web(2), other])).changes.nat.lines).toEqual([]);
  });
});

test("row 76: beyond a thousand endpoints rules of endpoints have no comments, until there are fewer again", () => {
  const many = Array.from({ length: 1000 }, (_, i) => member(`10.9.${2 + (i >> 8)}.${i & 0xff}`, 8080));
  const large = service({ name: "large", at: "10.96.0.12", port: 80, cluster: many });
  const rules = family();
  write(rules, wanted([web(1)], { whole: true }));
  const chain = `KUBE-SVC-${serviceHash(web(1))}`;
  const commented = () => rules.tables.nat.wanted(chain)?.at(-1)?.includes("comment");
  expect(commented()).toBe(true);
  write(rules, wanted([web(1), large], { changed: new Set([large.key]) }));
  expect(commented()).toBe(false);
  write(rules, wanted([web(1)], { changed: new Set([large.key]) }));
  expect(commented()).toBe(true);
});

describe("cleanup", () => {
  const JUMP = '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
  const OURS = [
    "-N KUBE-SERVICES",
    "-N KUBE-SVC-A",
    "-N PORTOLAN-MARK-OTHERS",
    "-N PORTOLAN-CANARY",
    "-N KUBE-MARK-MASQ",
  ];
  const RULES = [
    JUMP,
    "-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A",
    "-A KUBE-SVC-A -j PORTOLAN-MARK-OTHERS",
    "-A PORTOLAN-MARK-OTHERS -i eth0 -j KUBE-MARK-MASQ",
    "-A PORTOLAN-CANARY -j RETURN",
  ];

  test("row 85: takes away what is ours, by our canary", () => {
    const lines = ownRemoval("nat", [...OURS, "-N KUBE-KUBELET-CANARY", "-N CNI-X", ...RULES]);
    const deleted = ["PORTOLAN-MARK-OTHERS", "PORTOLAN-CANARY"];
    expect(lines).toEqual([
      ...deleted.map((chain) => `:${chain} - [0:0]`),
      ...["KUBE-SERVICES", "KUBE-SVC-A", "KUBE-MARK-MASQ"].map((chain) => `:${chain} - [0:0]`),
      JUMP.replace("-A", "-D"),
      ...["KUBE-SERVICES", "KUBE-SVC-A", "KUBE-MARK-MASQ", ...deleted].map((chain) => `-X ${chain}`),
    ]);
  });

  test("row 85: leaves a kube-proxy's rules alone, and ours that it has taken over since", () => {
    expect(ownRemoval("nat", ["-N KUBE-SERVICES", "-N KUBE-PROXY-CANARY", JUMP])).toEqual([]);
    const theirs = RULES.filter((rule) => !rule.includes("KUBE-SVC-A -j PORTOLAN"));
    expect(ownRemoval("nat", [...OURS, "-N KUBE-PROXY-CANARY", ...theirs])).toEqual([
      ":PORTOLAN-MARK-OTHERS - [0:0]",
      ":PORTOLAN-CANARY - [0:0]",
      "-X PORTOLAN-MARK-OTHERS",
      "-X PORTOLAN-CANARY",
    ]);
    const own =
      '-A OUTPUT -m conntrack --ctstate NEW -m addrtype ! --dst-type LOCAL -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES';
    const filter = ["-N PORTOLAN-CANARY", "-N KUBE-PROXY-CANARY", "-N KUBE-EXTERNAL-SERVICES", own];
    expect(ownRemoval("filter", filter)).toContain(own.replace("-A", "-D"));
  });
});
