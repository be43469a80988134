// SPDX-License-Identifier: Apache-2.0
// The rules in FORWARD are kept, and what keeps them from being kept is said once and ends nothing.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ForwardKeeper } from "../../../src/agent/forward-keeper.ts";
import type { FilterTable } from "../../../src/datapath/netfilter/iptables.ts";

class FakeTable implements FilterTable {
  readonly command = "/sbin/iptables";
  readonly restored: (readonly string[])[] = [];
  chains: Record<string, readonly string[]> = { FORWARD: ["-P FORWARD DROP"] };
  refusal: Error | undefined;

  async rules(chain = ""): Promise<readonly string[]> {
    if (this.refusal) throw this.refusal;
    return this.chains[chain] ?? [];
  }

  async restore(lines: readonly string[]): Promise<void> {
    this.restored.push(lines);
  }
}

const RULES = [
  ":PORTOLAN-FORWARD - [0:0]",
  "-A PORTOLAN-FORWARD -m mark --mark 0x80000000/0x80000000 -j ACCEPT",
  "-A PORTOLAN-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
];

describe("the rules in FORWARD", () => {
  let table: FakeTable;
  let tables: readonly FilterTable[];
  let log: string[];
  let keeper: ForwardKeeper;

  beforeEach(() => {
    vi.useFakeTimers();
    table = new FakeTable();
    tables = [table];
    log = [];
    const write = (line: string) => void log.push(JSON.parse(line).msg);
    keeper = new ForwardKeeper(31, (family) => (family === 4 ? tables : [new FakeTable()]), pino({}, { write }));
  });

  afterEach(() => {
    keeper[Symbol.dispose]();
    vi.useRealTimers();
  });

  test("are added where the policy is DROP, in one transaction, before the other rules", async () => {
    await keeper.keep();
    expect(table.restored).toEqual([[...RULES, "-I FORWARD 1 -j PORTOLAN-FORWARD"]]);
  });

  test("are not added to a chain that accepts everything", async () => {
    table.chains = { FORWARD: ["-P FORWARD ACCEPT"] };
    await keeper.keep();
    expect(table.restored).toEqual([]);
  });

  test("are added where a rule may drop under policy ACCEPT", async () => {
    table.chains = { FORWARD: ["-P FORWARD ACCEPT", "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"] };
    await keeper.keep();
    expect(table.restored).toHaveLength(1);
  });

  test("are mended inside their chain, without a second jump", async () => {
    table.chains = {
      FORWARD: ["-P FORWARD DROP", "-A FORWARD -j OTHERS", "-A FORWARD -j PORTOLAN-FORWARD"],
      "PORTOLAN-FORWARD": ["-N PORTOLAN-FORWARD"],
    };
    await keeper.keep();
    expect(table.restored).toEqual([RULES]);
  });

  test("go on to accept what an earlier agent's programs mark, until ours are in their places", async () => {
    const [, own = "", answers = ""] = RULES;
    const earlier = "-A PORTOLAN-FORWARD -m mark --mark 0x8/0x8 -j ACCEPT";
    const chains = (...rules: readonly string[]) => ({
      FORWARD: ["-P FORWARD DROP", "-A FORWARD -j PORTOLAN-FORWARD"],
      "PORTOLAN-FORWARD": ["-N PORTOLAN-FORWARD", ...rules],
    });
    table.chains = chains(earlier, answers);
    await keeper.begin();
    expect(table.restored).toEqual([[...RULES, earlier]]);
    table.chains = chains(own, answers, earlier);
    await keeper.begin();
    expect(table.restored).toHaveLength(1);
    await keeper.keep();
    expect(table.restored.slice(1)).toEqual([RULES]);
  });

  test("are looked at again and again, and left alone while they are there", async () => {
    table.chains = {
      FORWARD: ["-P FORWARD DROP", "-A FORWARD -j PORTOLAN-FORWARD"],
      "PORTOLAN-FORWARD": ["-N PORTOLAN-FORWARD", ...RULES.slice(1)],
    };
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(table.restored).toEqual([]);
    table.chains = { FORWARD: ["-P FORWARD DROP"] };
    await vi.advanceTimersByTimeAsync(5000);
    expect(table.restored.length).toBeGreaterThan(0);
  });

  test("cannot be kept without iptables, which is said once", async () => {
    tables = [];
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(log.filter((line) => line.includes("IPv4"))).toEqual([
      "IPv4: iptables is not installed, so a FORWARD chain that drops will drop Service traffic to this node's pods",
    ]);
  });

  test("cannot be kept while iptables refuses, which is said once, until it does no more", async () => {
    table.refusal = new Error("exit 4: Another app is currently holding the xtables lock");
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(log.filter((line) => line.includes("IPv4"))).toEqual([
      "IPv4: the FORWARD chain cannot be kept open for Service traffic: exit 4: Another app is currently holding the xtables lock",
    ]);
    table.refusal = undefined;
    await vi.advanceTimersByTimeAsync(5000);
    expect(table.restored.length).toBeGreaterThan(0);
  });
});
